#include "operation/folders.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "sys/file.h"

namespace holdfast::operation {

namespace {

/// "shop/shop-mysql" -> "shop.shop-mysql". A dot inside of the namespace, and whatever is no plain letter, digit, dot,
/// dash or underscore, becomes %XX, so that no two clusters share a file. A uid is marked by what no name has: "@".
std::string file_name_of(const ClusterKey& cluster) {
  const bool by_uid = !cluster.uid.empty();
  std::string name = by_uid ? "@" : "";
  bool in_namespace = !by_uid;
  for (const char c : by_uid ? cluster.uid : cluster.name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (in_namespace && c == '/') {
      name += '.';
      in_namespace = false;
    } else if (plain || (c == '.' && !in_namespace)) {
      name += c;
    } else {
      name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return name;
}

}  // namespace

std::string operations_folder(const std::string& state_dir) {
  return state_dir + "/operations";
}
std::string lock_file_of(const std::string& state_dir, const ClusterKey& cluster) {
  return operations_folder(state_dir) + "/locks/" + file_name_of(cluster);
}
std::string epoch_file_of(const std::string& state_dir, const ClusterKey& cluster) {
  return operations_folder(state_dir) + "/epochs/" + file_name_of(cluster);
}
std::string staging_folder_of(const std::string& state_dir, const ClusterKey& cluster) {
  return operations_folder(state_dir) + "/.new-" + file_name_of(cluster);
}

Status make_durable_folder(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  std::string parent = std::filesystem::path(path).parent_path().string();
  if (parent.empty()) parent = ".";
  if (parent != path) TRY_VOID(make_durable_folder(parent));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail(sys::errno_error(errno, "mkdir " + path));
  return sys::sync_directory(parent);
}

}  // namespace holdfast::operation
