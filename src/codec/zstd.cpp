#include "codec/zstd.h"

#if HOLDFAST_ZSTD_STATIC
#define ZSTD_STATIC_LINKING_ONLY  // sequences from outside: not in the shared library's stable interface
#endif

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>

#include "codec/match_finder.h"

namespace holdfast::codec {

namespace {

#if HOLDFAST_ZSTD_STATIC
static_assert(sizeof(Sequence) == sizeof(ZSTD_Sequence) &&
              offsetof(Sequence, offset) == offsetof(ZSTD_Sequence, offset) &&
              offsetof(Sequence, literals) == offsetof(ZSTD_Sequence, litLength) &&
              offsetof(Sequence, length) == offsetof(ZSTD_Sequence, matchLength));

/// libzstd's entropy coder behind our own match search.
class SequenceCompressor {
 public:
  explicit SequenceCompressor(bool proved_later) : proved_later_(proved_later) {
    const auto set = [&](ZSTD_cParameter parameter, int value) { ZSTD_CCtx_setParameter(context_, parameter, value); };
    set(ZSTD_c_compressionLevel, 1);
    set(ZSTD_c_strategy, ZSTD_fast);
    set(ZSTD_c_windowLog, std::bit_width(MatchFinder::kMaxInput - 1));  // offsets reach the whole input
    set(ZSTD_c_hashLog, 10);                                            // its table stays unused
    set(ZSTD_c_minMatch, static_cast<int>(MatchFinder::kMinLength));
    set(ZSTD_c_contentSizeFlag, 1);
    set(ZSTD_c_checksumFlag, 0);
    set(ZSTD_c_blockDelimiters, ZSTD_sf_explicitBlockDelimiters);
    set(ZSTD_c_searchForExternalRepcodes, ZSTD_ps_enable);
  }
  ~SequenceCompressor() { ZSTD_freeCCtx(context_); }
  SequenceCompressor(const SequenceCompressor&) = delete;
  SequenceCompressor& operator=(const SequenceCompressor&) = delete;

  static bool supported() { return MatchFinder::supported(); }
  static bool takes(size_t size) { return size >= MatchFinder::kMinInput && size <= MatchFinder::kMaxInput; }

  /// The frame's size, or nothing if libzstd had better search by itself.
  std::optional<size_t> compress(ByteSpan plain, MutableByteSpan into) {
    const std::span<const Sequence> sequences = finder_.find(plain);
    if (sequences.empty() || !(proved_later_ || MatchFinder::restores(plain, sequences))) return std::nullopt;
    const size_t size = ZSTD_compressSequences(context_, into.data(), into.size(),
                                               reinterpret_cast<const ZSTD_Sequence*>(sequences.data()),
                                               sequences.size(), plain.data(), plain.size());
    return ZSTD_isError(size) ? std::nullopt : std::optional(size);
  }

 private:
  const bool proved_later_;
  MatchFinder finder_;
  ZSTD_CCtx* context_ = ZSTD_createCCtx();
};
#else
class SequenceCompressor {
 public:
  explicit SequenceCompressor(bool) {}
  static bool supported() { return false; }
  static bool takes(size_t) { return false; }
  std::optional<size_t> compress(ByteSpan, MutableByteSpan) { return std::nullopt; }
};
#endif

}  // namespace

struct ZstdCompressor::State {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::optional<SequenceCompressor> sequences;
  ~State() { ZSTD_freeCCtx(context); }
};

ZstdCompressor::ZstdCompressor(ZstdProfile profile, bool proved_later) : state_(std::make_unique<State>()) {
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    ZSTD_CCtx_setParameter(state_->context, parameter, value);
  };
  switch (profile) {
    case ZstdProfile::stream:
      set(ZSTD_c_compressionLevel, 1);
      set(ZSTD_c_strategy, ZSTD_fast);
      set(ZSTD_c_windowLog, 20);
      set(ZSTD_c_hashLog, 16);
      set(ZSTD_c_minMatch, 7);
      if (SequenceCompressor::supported()) state_->sequences.emplace(proved_later);
      break;
    case ZstdProfile::small:
      set(ZSTD_c_compressionLevel, 3);
      break;
    case ZstdProfile::best:
      set(ZSTD_c_compressionLevel, 11);
      break;
  }
  set(ZSTD_c_contentSizeFlag, 1);
  set(ZSTD_c_checksumFlag, 0);
}

ZstdCompressor::~ZstdCompressor() = default;
ZstdCompressor::ZstdCompressor(ZstdCompressor&&) noexcept = default;
ZstdCompressor& ZstdCompressor::operator=(ZstdCompressor&&) noexcept = default;

size_t ZstdCompressor::bound(size_t size) {
  return ZSTD_compressBound(size);
}

Result<size_t> ZstdCompressor::compress(ByteSpan plain, MutableByteSpan into) {
  if (state_->sequences && SequenceCompressor::takes(plain.size())) {
    if (const auto size = state_->sequences->compress(plain, into)) return *size;
  }
  const size_t size = ZSTD_compress2(state_->context, into.data(), into.size(), plain.data(), plain.size());
  if (ZSTD_isError(size)) return fail(ErrorClass::bug, "codec.zstd", fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  return size;
}

Buffer ZstdCompressor::compress(ByteSpan plain) {
  Buffer frame(bound(plain.size()));
  auto size = compress(plain, {frame.data(), frame.size()});
  frame.resize(size.value());
  return frame;
}

struct ZstdDecompressor::State {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ~State() { ZSTD_freeDCtx(context); }
};

ZstdDecompressor::ZstdDecompressor() : state_(std::make_unique<State>()) {}
ZstdDecompressor::~ZstdDecompressor() = default;
ZstdDecompressor::ZstdDecompressor(ZstdDecompressor&&) noexcept = default;
ZstdDecompressor& ZstdDecompressor::operator=(ZstdDecompressor&&) noexcept = default;

Status ZstdDecompressor::decompress(ByteSpan frame, MutableByteSpan into) {
  const size_t size = ZSTD_decompressDCtx(state_->context, into.data(), into.size(), frame.data(), frame.size());
  if (ZSTD_isError(size)) {
    return fail(ErrorClass::verification_failed, "codec.zstd", fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  }
  if (size != into.size()) {
    return fail(ErrorClass::verification_failed, "codec.zstd",
                fmt::format("zstd frame holds {} bytes, {} were expected", size, into.size()));
  }
  return {};
}

Result<Buffer> ZstdDecompressor::decompress(ByteSpan frame, size_t limit) {
  const auto too_large = [&] {
    return fail(ErrorClass::verification_failed, "codec.zstd",
                fmt::format("zstd frame holds more than {} bytes", limit));
  };
  Buffer out;
  const unsigned long long known = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (known != ZSTD_CONTENTSIZE_UNKNOWN && known != ZSTD_CONTENTSIZE_ERROR) {
    if (known > limit) return too_large();
    // The header's word is not trusted for more memory than the frame could plausibly fill.
    if (known <= frame.size() * 1024 + (1 << 20)) {
      out.resize(known);
      TRY_VOID(decompress(frame, {out.data(), out.size()}));
      return out;
    }
  }
  ZSTD_DCtx_reset(state_->context, ZSTD_reset_session_only);
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  size_t have = 0;
  for (;;) {
    if (have == out.size()) out.resize(std::max<size_t>(out.size() * 2, 1 << 16));
    ZSTD_outBuffer step{out.data(), out.size(), have};
    const size_t left = ZSTD_decompressStream(state_->context, &step, &in);
    if (ZSTD_isError(left)) {
      return fail(ErrorClass::verification_failed, "codec.zstd", fmt::format("zstd: {}", ZSTD_getErrorName(left)));
    }
    const bool moved = step.pos != have;
    have = step.pos;
    if (have > limit) return too_large();
    if (left == 0) break;
    if (in.pos == in.size && !moved && have < out.size()) {
      return fail(ErrorClass::verification_failed, "codec.zstd", "zstd frame ends too soon");
    }
  }
  if (in.pos != in.size) return fail(ErrorClass::verification_failed, "codec.zstd", "bytes follow the zstd frame");
  out.resize(have);
  return out;
}

}  // namespace holdfast::codec
