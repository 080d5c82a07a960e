#include "sys/act_as.h"

#include <fmt/format.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace holdfast::sys {

namespace {

[[noreturn]] void give_up(const char* what) {
  fmt::print(stderr, "holdfast: {}: cannot change to another user's rights; continuing would be unsafe\n", what);
  std::abort();
}

/// This thread's alone; glibc's setgroups() would change all threads.
void set_groups(const std::vector<gid_t>& groups) {
  if (::syscall(SYS_setgroups, groups.size(), groups.data()) != 0) give_up("setgroups");
}

/// What the process was before the first of these changes.
int dumpable() {
  static const int before = ::prctl(PR_GET_DUMPABLE);
  return before;
}

/// The calls tell nothing of a failure: asking for an impossible id shows what holds now.
void set_file_ids(uid_t uid, gid_t gid) {
  ::setfsgid(gid);
  if (static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1))) != gid) give_up("setfsgid");
  ::setfsuid(uid);  // leaving root, the kernel takes the rights over others' files along; coming back, it returns them
  if (static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) != uid) give_up("setfsuid");
}

/// This thread's alone, as set_groups(). The real and the saved ids stay root's: they are the way back.
void set_effective_uid(uid_t uid) {
  constexpr long kAsItIs = -1;
  if (::syscall(SYS_setresuid, kAsItIs, static_cast<long>(uid), kAsItIs) != 0) give_up("setresuid");
}
void set_effective_gid(gid_t gid) {
  constexpr long kAsItIs = -1;
  if (::syscall(SYS_setresgid, kAsItIs, static_cast<long>(gid), kAsItIs) != 0) give_up("setresgid");
}

}  // namespace

ActAs::ActAs(const std::optional<Identity>& identity, Before before) : before_(before) {
  if (!identity || ::geteuid() != 0) return;
  uid_ = static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1)));
  gid_ = static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1)));
  effective_gid_ = ::getegid();
  (void)dumpable();
  parent_ = ::getppid();
  (void)::prctl(PR_GET_PDEATHSIG, &death_signal_);
  const int count = ::getgroups(0, nullptr);
  groups_.resize(static_cast<size_t>(count < 0 ? 0 : count));
  if (count < 0 || ::getgroups(count, groups_.data()) != count) give_up("getgroups");
  set_groups(identity->groups);
  if (before_ == Before::files) {
    set_file_ids(identity->uid, identity->gid);
  } else {
    set_effective_gid(identity->gid);  // those for files follow these
    set_effective_uid(identity->uid);
  }
  keep_marks();
  acting_ = true;
}

void ActAs::keep_marks() const {
  (void)::prctl(PR_SET_DUMPABLE, dumpable() == 1 ? 1 : 0);
  if (!death_signal_) return;
  (void)::prctl(PR_SET_PDEATHSIG, death_signal_);
  if (::getppid() != parent_) (void)::raise(death_signal_);  // it died in between
}

ActAs::~ActAs() {
  if (!acting_) return;
  if (before_ == Before::peers) {
    set_effective_uid(0);
    set_effective_gid(effective_gid_);
  }
  set_file_ids(uid_, gid_);
  set_groups(groups_);
  keep_marks();
}

std::optional<Identity> owner_of(const std::string& directory) {
  struct stat info{};
  if (::lstat(directory.c_str(), &info) != 0) return std::nullopt;
  if (S_ISLNK(info.st_mode) && info.st_uid == 0 && ::stat(directory.c_str(), &info) != 0) return std::nullopt;
  if (info.st_uid == ::geteuid()) return std::nullopt;
  return Identity{info.st_uid, info.st_gid, {}};
}

}  // namespace holdfast::sys
