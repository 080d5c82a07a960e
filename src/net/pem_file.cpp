#include "net/pem_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "sys/file.h"
#include "sys/secret_file.h"

namespace holdfast::net {
namespace {

constexpr off_t kLongest = 1 << 20;

/// What stands there, before it is read: opening a pipe would block.
Result<struct stat> regular_file(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail(sys::errno_error(errno, "open " + path));
  if (!S_ISREG(info.st_mode) || info.st_size > kLongest)
    return fail(ErrorClass::refused, "net.pem_file", path + " is not a file of at most 1 MiB");
  return info;
}

}  // namespace

Result<std::string> read_pem_file(const std::string& path) {
  (void)TRY(regular_file(path));
  const sys::Fd fd = TRY(sys::open_file(path, O_RDONLY | O_NONBLOCK));
  std::string text(kLongest + 1, '\0');
  text.resize(TRY(sys::read_full(fd.get(), {reinterpret_cast<uint8_t*>(text.data()), text.size()})));
  text.shrink_to_fit();
  if (text.size() > static_cast<size_t>(kLongest))
    return fail(ErrorClass::refused, "net.pem_file", path + " is not a file of at most 1 MiB");
  return text;
}

Result<Secret> read_key_file(const std::string& path) {
  const struct stat info = TRY(regular_file(path));
  if (info.st_mode & 077)
    return fail(
        ErrorClass::refused, "net.tls_key_mode",
        fmt::format("the private key {} has mode {:04o}: others than its owner may use it", path, info.st_mode & 07777),
        "chmod 600 " + path + "; if others could have read it, issue another one with holdfast pki issue");
  return sys::read_secret_file(path);
}

}  // namespace holdfast::net
