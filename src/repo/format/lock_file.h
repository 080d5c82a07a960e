// Lock objects: who works on the repository.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/format/timestamp.h"

namespace holdfast::repo {

struct LockFile {
  Timestamp time;  ///< of the last refresh
  bool exclusive = false;
  std::string hostname;
  std::string username;
  int64_t pid = 0;
  uint32_t uid = 0, gid = 0;
};

Result<LockFile> parse_lock(std::string_view json);
std::string lock_text(const LockFile& lock);

}  // namespace holdfast::repo
