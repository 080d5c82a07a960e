// A gzip file, written piece by piece.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::codec {

class GzipWriter {
 public:
  /// Compressed bytes go to `write` as they come.
  explicit GzipWriter(std::function<Status(ByteSpan)> write);
  ~GzipWriter();
  Status write(ByteSpan bytes);
  /// Writes the end: without it the file is no gzip file.
  Status finish();

 private:
  struct State;
  Status deflate_all(ByteSpan bytes, bool last);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::codec
