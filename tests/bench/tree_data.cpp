#include "tests/bench/tree_data.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "tests/bench/output.h"
#include "tests/bench/random.h"
#include "tests/bench/words.h"

namespace holdfast::bench {
namespace {

enum class Kind { source, text, log, image, archive };

struct Plan {
  Kind kind;
  double weight;  ///< relative size before scaling
};

const char* suffix(Kind kind) {
  switch (kind) {
    case Kind::source:
      return ".cpp";
    case Kind::text:
      return ".txt";
    case Kind::log:
      return ".log";
    case Kind::image:
      return ".jpg";
    case Kind::archive:
      return ".bin";
  }
  return "";
}

void append_source_line(std::string& to, Random& random) {
  static constexpr const char* kForms[] = {"  const auto $ = $($, $);\n",
                                           "  if ($ == nullptr) return $;\n",
                                           "  $->$($);\n",
                                           "  for (const auto& $ : $) {\n    $ += $.$();\n  }\n",
                                           "}\n\n",
                                           "#include \"$/$.h\"\n",
                                           "void $($& $, int $) {\n",
                                           "  // $ $ $ $ $ $\n",
                                           "  return $($) + #;\n",
                                           "  std::vector<$> $(#);\n"};
  for (const char* at = kForms[random.below(std::size(kForms))]; *at; ++at) {
    if (*at == '$') {
      to += vocabulary().common(random);
      if (random.chance(0.4)) to.append("_").append(vocabulary().any(random));
    } else if (*at == '#') {
      append_number(to, random.below(5000));
    } else {
      to += *at;
    }
  }
}

void append_log_line(std::string& to, Random& random, uint64_t line) {
  static constexpr const char* kLevels[] = {"INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"};
  to += "2026-11-";
  append_padded(to, 1 + line / 86400 % 28, 2);
  to += 'T';
  append_padded(to, line / 3600 % 24, 2);
  to += ':';
  append_padded(to, line / 60 % 60, 2);
  to += ':';
  append_padded(to, line % 60, 2);
  to.append("Z ").append(kLevels[random.below(6)]).append(" [worker-");
  append_number(to, random.below(16));
  to += "] request=";
  append_hex(to, random.next(), 16);
  for (uint64_t words = random.between(2, 9); words-- > 0;) to.append(" ").append(vocabulary().common(random));
  to += " took=";
  append_number(to, random.below(9000));
  to += "us\n";
}

void write_content(Kind kind, uint64_t size, Random random, int fd) {
  Output out(fd);
  if (kind == Kind::image && size > 20)
    out.write(std::string_view("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", 20));
  for (uint64_t line = 0; out.written() < size; ++line) {
    std::string& to = out.text();
    switch (kind) {
      case Kind::source:
        append_source_line(to, random);
        break;
      case Kind::text:
        for (int i = 0; i < 12; ++i) to.append(vocabulary().common(random)).append(i == 11 ? ".\n" : " ");
        break;
      case Kind::log:
        append_log_line(to, random, line);
        break;
      case Kind::image: {
        const uint64_t bits = random.next();
        to.append(reinterpret_cast<const char*>(&bits), 8);
        if (random.below(32) == 0) to.append("\xff\0", 2);  // stuffing, as entropy-coded segments have it
        break;
      }
      case Kind::archive: {  // machine code and tables: half structure, half noise
        const uint64_t bits = random.next();
        to.append(reinterpret_cast<const char*>(&bits), 3 + bits % 3);
        to.append("\x48\x8b\x45\xf8\x48\x89\xc7\xe8\0\0\0\0\x0f\xb6\xc0\xc3", 4 + (bits >> 8) % 8);
        break;
      }
    }
    if (out.written() > size) to.resize(to.size() - (out.written() - size));
    out.settle();
  }
}

std::vector<Plan> plan_files(const TreeOptions& options) {
  Random random(options.seed, 0x74726565);
  std::vector<Plan> plans;
  plans.reserve(options.files);
  for (uint64_t i = 0; i < options.files; ++i) {
    const double dice = random.unit();
    const double spread = std::exp(2.4 * (random.unit() + random.unit() - 1));  // 1/11 … 11, most near 1
    if (dice < 0.55)
      plans.push_back({Kind::source, 7e3 * spread});
    else if (dice < 0.75)
      plans.push_back({Kind::text, 30e3 * spread});
    else if (dice < 0.85)
      plans.push_back({Kind::log, 120e3 * spread});
    else if (dice < 0.985)
      plans.push_back({Kind::image, 180e3 * spread});
    else if (dice < 0.999)
      plans.push_back({Kind::archive, 900e3 * spread});
    else
      plans.push_back({random.chance(0.5) ? Kind::log : Kind::archive, 16e6 * spread});
  }
  double sum = 0;
  for (const auto& plan : plans) sum += plan.weight;
  for (auto& plan : plans) plan.weight *= static_cast<double>(options.size) / std::max(sum, 1.0);
  return plans;
}

void check(int result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void write_tree(const TreeOptions& options, const std::string& directory) {
  namespace fs = std::filesystem;
  fs::create_directories(directory);
  if (!fs::is_empty(directory)) throw std::runtime_error(directory + " is not empty");
  const auto plans = plan_files(options);
  Random random(options.seed, 0x706c616365);
  std::string folder;
  uint64_t left_in_folder = 0;
  for (uint64_t i = 0; i < plans.size(); ++i) {
    if (left_in_folder-- == 0) {
      left_in_folder = random.between(10, 90);
      folder = directory;
      for (uint64_t depth = random.between(1, 4); depth-- > 0;) {
        folder.append("/").append(vocabulary().at(random.below(60)));
        if (depth == 0) folder.append("-").append(std::to_string(i));
      }
      fs::create_directories(folder);
    }
    std::string path =
        folder + "/" + std::string(vocabulary().common(random)) + "_" + std::to_string(i) + suffix(plans[i].kind);
    const mode_t mode = random.chance(0.05) ? 0755 : random.chance(0.1) ? 0600 : 0644;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    check(fd, "creating " + path);
    write_content(plans[i].kind, static_cast<uint64_t>(plans[i].weight), Random(options.seed, i), fd);
    const timespec when = {static_cast<time_t>(1'700'000'000 + random.below(60'000'000)),
                           static_cast<long>(random.below(1'000'000'000))};
    const timespec times[2] = {when, when};
    check(::futimens(fd, times), "setting times of " + path);
    check(::close(fd), "closing " + path);
    if (random.chance(0.01)) {
      fs::create_symlink("../" + std::string(vocabulary().any(random)), folder + "/link_" + std::to_string(i));
    }
    if (random.chance(0.005)) fs::create_hard_link(path, folder + "/hard_" + std::to_string(i));
  }
}

}  // namespace holdfast::bench
