#include "tests/bench/tools.h"

namespace holdfast::bench {

std::string Tool::name() const {
  switch (kind_) {
    case Kind::holdfast:
      return "holdfast";
    case Kind::restic:
      return "restic";
    case Kind::rustic:
      return "rustic";
  }
  return "";
}

test::Command Tool::command(std::vector<std::string> args, const std::string& repository) const {
  auto made = kind_ == Kind::holdfast ? sandbox_->holdfast(std::move(args))
              : kind_ == Kind::restic ? sandbox_->restic(std::move(args))
                                      : sandbox_->rustic(std::move(args));
  if (!repository.empty()) {
    made.argv.push_back("-r");
    made.argv.push_back(repository);
  }
  made.timeout = std::chrono::minutes(20);
  return made;
}

std::string Tool::version() const {
  auto asked = command({kind_ == Kind::rustic ? "--version" : "version"}, "");
  try {
    const auto text = test::run(asked).out;
    return text.substr(0, text.find('\n'));
  } catch (const std::exception&) {
    return "";
  }
}

test::Command Tool::init(const std::string& repository) const {
  return kind_ == Kind::holdfast ? command({"repo", "init"}, repository) : command({"init"}, repository);
}

test::Command Tool::backup_stream(const std::string& repository) const {
  switch (kind_) {
    case Kind::holdfast:
      return command({"backup", "--stdin", "--path", kStreamPath}, repository);
    case Kind::restic:
      return command({"backup", "--stdin", "--stdin-filename", kStreamPath}, repository);
    // Without --force rustic takes a stream whose name it knows for unchanged and does not read it.
    case Kind::rustic:
      return command({"backup", "--force", "--stdin-filename", kStreamPath, "-"}, repository);
  }
  return {};
}

test::Command Tool::dump(const std::string& repository) const {
  const std::string path = std::string("/") + kStreamPath;
  if (kind_ == Kind::rustic) return command({"dump", "latest:" + path}, repository);
  return command({"dump", "latest", path}, repository);
}

test::Command Tool::backup_tree(const std::string& repository, const std::string& directory) const {
  if (kind_ == Kind::holdfast) return command({"backup", "--tree", directory}, repository);
  return command({"backup", directory}, repository);
}

test::Command Tool::restore(const std::string& repository, const std::string& into) const {
  switch (kind_) {
    case Kind::holdfast:
      return command({"restore", "--snapshot", "latest", "--into", into}, repository);
    case Kind::restic:
      return command({"restore", "latest", "--target", into}, repository);
    case Kind::rustic:
      return command({"restore", "latest", into}, repository);
  }
  return {};
}

test::Command Tool::check_data(const std::string& repository) const {
  return command({"check", "--read-data"}, repository);
}

test::Command Tool::backups(const std::string& repository) const {
  return kind_ == Kind::holdfast ? command({"get", "backups", "-o", "json"}, repository) : snapshots(repository);
}

test::Command Tool::snapshots(const std::string& repository) const {
  if (kind_ == Kind::holdfast) return command({"get", "snapshots", "-o", "json"}, repository);
  return command({"snapshots", "--json"}, repository);
}

}  // namespace holdfast::bench
