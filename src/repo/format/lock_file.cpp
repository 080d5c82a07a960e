#include "repo/format/lock_file.h"

#include <fmt/format.h>

#include "codec/go_json.h"
#include "codec/json_reader.h"

namespace holdfast::repo {

Result<LockFile> parse_lock(std::string_view json) {
  LockFile lock;
  bool has_time = false;
  codec::JsonReader reader(json);
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "time") {
      const auto time = Timestamp::parse(reader.string_view());
      if (!time) reader.reject("not a time");
      lock.time = time.value_or(Timestamp{});
      has_time = true;
    } else if (*key == "exclusive") {
      lock.exclusive = reader.boolean();
    } else if (*key == "hostname") {
      lock.hostname = reader.string();
    } else if (*key == "username") {
      lock.username = reader.string();
    } else if (*key == "pid") {
      lock.pid = reader.integer();
    } else if (*key == "uid") {
      lock.uid = static_cast<uint32_t>(reader.unsigned_integer());
    } else if (*key == "gid") {
      lock.gid = static_cast<uint32_t>(reader.unsigned_integer());
    } else {
      reader.skip();
    }
  }
  if (!reader.finished() || !has_time) {
    return fail(ErrorClass::verification_failed, "repo.lock.format", "lock: " + reader.problem());
  }
  return lock;
}

std::string lock_text(const LockFile& lock) {
  std::string text = fmt::format(R"({{"time":"{}","exclusive":{},"hostname":)", lock.time.to_string(), lock.exclusive);
  codec::append_json_string(text, lock.hostname);
  text += R"(,"username":)";
  codec::append_json_string(text, lock.username);
  text += fmt::format(R"(,"pid":{})", lock.pid);
  if (lock.uid != 0) text += fmt::format(R"(,"uid":{})", lock.uid);
  if (lock.gid != 0) text += fmt::format(R"(,"gid":{})", lock.gid);
  return text + '}';
}

}  // namespace holdfast::repo
