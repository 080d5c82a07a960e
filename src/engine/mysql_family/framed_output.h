// A dump program's output with statements of our own around it: some before its first byte, some right before its end
// mark, so that the last line of the whole is still the one that says the dump is complete. Pure: no I/O.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast::engine {

/// SQL of our own, each part empty or ended by a newline.
struct OwnStatements {
  std::string before;
  /// Runs behind the program's own epilogue: in the session settings of a client that has just connected, and in the
  /// database that was used last.
  std::string after;
};

class FramedOutput {
 public:
  explicit FramedOutput(OwnStatements own) : own_(std::move(own)), ready_(own_.before) {}

  /// What stands ready to be handed out: moved into `into`, 0 when there is nothing.
  size_t take(MutableByteSpan into);
  /// Puts what was held back at the start of `into`; the program's next bytes belong right behind it.
  size_t begin(MutableByteSpan into) const;
  /// The first `size` bytes of `into` are the program's; how many of them may go out now. The others are held back,
  /// because the end mark may be among them.
  size_t end(MutableByteSpan into, size_t size);
  /// Bytes that end() let go and that take() is to hand out: where there was no room for them.
  void keep(ByteSpan bytes) { ready_ += as_text(bytes); }
  /// The program has ended. False when its end mark is not there; else take() gives what stands before it.
  bool close();
  /// More text before the end mark, when nothing stands ready.
  void put(std::string text) { ready_ = std::move(text); }
  /// take() gives the last of our statements and the end mark.
  void finish();

  static constexpr size_t kHeld = 256;  ///< more than the end mark with a date, and blank lines

 private:
  OwnStatements own_;
  std::string ready_;  ///< to go out, from at_
  size_t at_ = 0;
  std::string held_;
};

}  // namespace holdfast::engine
