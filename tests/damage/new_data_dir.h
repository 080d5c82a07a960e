// What new_data_dir makes, for the program and for the test that judges what a power loss left of it.
#pragma once

#include <unistd.h>

#include <map>
#include <string>

#include "agent/data_dir.h"

namespace holdfast::test {

inline agent::MemberConfig member_of(const std::string& folder) {
  agent::MemberConfig config;
  config.dir = folder;
  config.uid = ::geteuid();
  config.gid = ::getegid();
  config.member = "shop-0";
  config.engine = cluster::Engine::postgres;
  return config;
}

inline std::map<std::string, std::string> new_files() {
  return {{"PG_VERSION", "15\n"}, {"base/1/16384", "rows"}, {"global", "globals"}};
}

}  // namespace holdfast::test
