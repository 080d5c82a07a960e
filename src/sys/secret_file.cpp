#include "sys/secret_file.h"

#include <fcntl.h>

#include <array>
#include <cstring>

#include "sys/file.h"

namespace holdfast::sys {

Result<Secret> read_secret_file(const std::string& path) {
  const Fd fd = TRY(open_file(path, O_RDONLY));
  std::array<uint8_t, (64 << 10) + 1> block;
  const auto got = read_full(fd.get(), block);
  Secret text;
  if (got) text = Secret(as_text(ByteSpan(block).first(*got)));
  ::explicit_bzero(block.data(), block.size());
  if (!got) return fail(Error(got.error()).with_context("reading " + path));
  if (*got == block.size()) return fail(ErrorClass::usage, "sys.secret_too_long", path + " is too long for a password");
  return text;
}

Result<Secret> read_password_file(const std::string& path) {
  const Secret text = TRY(read_secret_file(path));
  return Secret(text.reveal().substr(0, text.reveal().find_first_of("\r\n")));
}

}  // namespace holdfast::sys
