// A directory with everything that is easy to get wrong, and an exact comparison of two directories.
#pragma once

#include <string>
#include <vector>

namespace holdfast::test {

struct AwkwardOptions {
  unsigned many_files = 3000;  ///< files in one directory
  bool specials = true;        ///< device nodes and foreign owners, where this process is root
};

/// Fills `directory` (created): names with every kind of odd byte, empty and huge directories, zero runs and holes, odd
/// modes, owners, times, links of both kinds, fifos, devices, extended attributes and ACLs.
void make_awkward_tree(const std::string& directory, const AwkwardOptions& options = {});

/// Changes some of it: content, modes, names, links, and removals.
void change_awkward_tree(const std::string& directory);

struct CompareOptions {
  bool owners = true;
  bool times = true;
  bool xattrs = true;
};

/// Every difference in names, kinds, content, mode, owner, times (to the nanosecond), link targets, hard-link groups,
/// device numbers and extended attributes; empty when the trees are equal. Sockets are ignored: no program restores
/// them.
std::vector<std::string> compare_trees(const std::string& expected, const std::string& actual,
                                       const CompareOptions& options = {});

/// The first `limit` differences as text.
std::string summary(const std::vector<std::string>& differences, size_t limit = 20);

}  // namespace holdfast::test
