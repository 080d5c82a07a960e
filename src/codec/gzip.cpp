#include "codec/gzip.h"

#include <zlib.h>

#include <algorithm>

namespace holdfast::codec {

struct GzipWriter::State {
  std::function<Status(ByteSpan)> write;
  z_stream stream{};
  Buffer out{256 << 10};
};

GzipWriter::GzipWriter(std::function<Status(ByteSpan)> write) : state_(std::make_unique<State>()) {
  state_->write = std::move(write);
  constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for a gzip header
  deflateInit2(&state_->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
}

GzipWriter::~GzipWriter() {
  deflateEnd(&state_->stream);
}

Status GzipWriter::deflate_all(ByteSpan bytes, bool last) {
  z_stream& stream = state_->stream;
  do {
    const size_t part = std::min<size_t>(bytes.size(), 1 << 30);
    stream.next_in = const_cast<Bytef*>(bytes.data());
    stream.avail_in = static_cast<uInt>(part);
    bytes = bytes.subspan(part);
    const bool end = last && bytes.empty();
    int code = Z_OK;
    do {
      stream.next_out = state_->out.data();
      stream.avail_out = static_cast<uInt>(state_->out.size());
      code = deflate(&stream, end ? Z_FINISH : Z_NO_FLUSH);
      if (code == Z_STREAM_ERROR)
        return fail(ErrorClass::bug, "codec.gzip", "the compressor is in no state to continue");
      const size_t made = state_->out.size() - stream.avail_out;
      if (made > 0) TRY_VOID(state_->write(state_->out.span(0, made)));
    } while (stream.avail_out == 0 || (end && code != Z_STREAM_END));
  } while (!bytes.empty());
  return {};
}

Status GzipWriter::write(ByteSpan bytes) {
  return bytes.empty() ? Status{} : deflate_all(bytes, false);
}
Status GzipWriter::finish() {
  return deflate_all({}, true);
}

}  // namespace holdfast::codec
