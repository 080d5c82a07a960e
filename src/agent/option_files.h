// Which option files a MariaDB or MySQL server reads, by their rules: those that its arguments name or that it always
// reads, and what those include.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace holdfast::agent {

struct OptionFiles {
  std::vector<std::string> files;        ///< in the order in which they are read, without those of directories
  std::vector<std::string> directories;  ///< that they include and that are there; the last one is read last
};

/// Of a server with these arguments. `at` says where a path of them is to be looked for. What cannot be read is left
/// out, and what is no regular file is not opened.
OptionFiles option_files(const std::vector<std::string>& arguments,
                         const std::function<std::string(const std::string&)>& at);

}  // namespace holdfast::agent
