#include "engine/pages/table_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace holdfast::engine::pages {

size_t read_at(int fd, MutableByteSpan into, uint64_t offset) {
  size_t have = 0;
  while (have < into.size()) {
    const ssize_t got = ::pread(fd, into.data() + have, into.size() - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

bool all_zero(ByteSpan bytes) {
  // Equal to itself shifted by one, and zero at the start.
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename());
  return names;
}

std::optional<TableFile> table_file(const std::string& data_dir, const std::string& name) {
  struct stat state;
  if (::stat((data_dir + "/" + name).c_str(), &state) != 0 || !S_ISREG(state.st_mode)) return std::nullopt;
  return TableFile{name, static_cast<uint64_t>(state.st_size), state.st_mtim};
}

}  // namespace holdfast::engine::pages
