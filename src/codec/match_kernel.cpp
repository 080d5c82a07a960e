#if defined(__x86_64__)

#include "codec/match_kernel.h"

#include <immintrin.h>

namespace holdfast::codec::kernel {
namespace {

constexpr unsigned kKeyBytes = 7;
constexpr uint64_t kKeyPrime = 0x9E3779B185EBCA87;
constexpr uint32_t kTagMask = ~0u << kPositionBits;
constexpr uint32_t kRunGap = 6;      // samples this close with one offset: the bytes between are equal as well
constexpr int kMinTotal = 7;         // shortest match worth its sequence
constexpr int kMinRepeat = 4;        // the same with the last offset, which costs almost nothing to name
constexpr int kWorthLonger = 6;      // bytes of start given up for a longer match
constexpr uint32_t kMaxStride = 16;  // strips

__m512i load(const void* at) {
  return _mm512_loadu_si512(at);
}

void store(uint32_t* at, __m512i lanes) {
  _mm512_storeu_si512(at, lanes);
}

/// The first min(n, 16) lanes.
__mmask16 lanes_below(uint32_t n) {
  return static_cast<__mmask16>(_bzhi_u32(0xffff, n < 16 ? n : 16));
}

/// when ? yes : no, for `when` of all ones or zero: unlike ?: this never becomes a branch.
uint32_t choose(uint32_t when, uint32_t yes, uint32_t no) {
  return no ^ ((yes ^ no) & when);
}

/// 16 bits of hash of each 4 bytes that start at an even distance from `at`, as 32 words.
__m512i word_hashes(const uint8_t* at) {
  return _mm512_add_epi16(_mm512_mullo_epi16(load(at), _mm512_set1_epi16(static_cast<short>(0x9E37))),
                          _mm512_mullo_epi16(load(at + 2), _mm512_set1_epi16(static_cast<short>(0x79B1))));
}

/// The upper halves of the even and the odd positions' hashes, position by position.
__m512i byte_hashes(__m512i even, __m512i odd) {
  const __m512i upper = _mm512_set1_epi16(static_cast<short>(0xff00));
  return _mm512_ternarylogic_epi32(_mm512_srli_epi16(even, 8), odd, upper, 0xF8);  // a | (b & c)
}

/// Which of 64 positions are samples: one after each is a local minimum of the hash.
uint64_t samples_of_64(const uint8_t* at) {
  const __m512i w0 = word_hashes(at), w1 = word_hashes(at + 1), w2 = word_hashes(at + 2), w3 = word_hashes(at + 3);
  const __m512i h0 = byte_hashes(w0, w1), h1 = byte_hashes(w1, w2), h2 = byte_hashes(w2, w3);
  // Runs of one byte have no minimum: there every fourth position will do.
  const uint64_t falls = _mm512_cmplt_epu8_mask(h1, h0) | (_mm512_cmpeq_epi8_mask(h1, h0) & 0x1111111111111111);
  return falls & _mm512_cmple_epu8_mask(h1, h2);
}

/// Appends the samples among `length` positions from `from`; returns their number.
uint32_t collect_samples(Scratch& s, const uint8_t* data, uint32_t from, uint32_t length) {
  alignas(64) static constexpr uint8_t kCounting[64] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
                                                        32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
                                                        48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
  const __m512i counting = load(kCounting);
  uint32_t count = 0;
  for (uint32_t i = 0; i < length; i += 64) {
    const uint32_t left = length - i;
    const uint64_t mask = _bzhi_u64(samples_of_64(data + from + i), left < 64 ? left : 64);
    const __m512i at = _mm512_maskz_compress_epi8(mask, counting);
    const __m512i base = _mm512_set1_epi32(static_cast<int>(from + i));
    const auto put = [&](uint32_t k, __m128i bytes) {
      store(s.sample + kBefore + count + k, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(bytes)));
    };
    put(0, _mm512_extracti32x4_epi32(at, 0));
    put(16, _mm512_extracti32x4_epi32(at, 1));
    const auto found = static_cast<uint32_t>(_mm_popcnt_u64(mask));
    if (__builtin_expect(found > 32, 0)) {
      put(32, _mm512_extracti32x4_epi32(at, 2));
      put(48, _mm512_extracti32x4_epi32(at, 3));
    }
    count += found;
  }
  return count;
}

/// Exchanges each sample's table entry for its own position and notes what was there.
void look_up(Scratch& s, const uint8_t* data, uint32_t count, unsigned table_bits) {
  const unsigned index_shift = 64 - table_bits, tag_shift = 32 - table_bits;
#pragma GCC unroll 4
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t at = s.sample[kBefore + i];
    uint64_t key;
    __builtin_memcpy(&key, data + at, 8);
    const uint64_t hash = (key << (64 - 8 * kKeyBytes)) * kKeyPrime;
    const uint32_t tag = static_cast<uint32_t>(hash >> tag_shift) & kTagMask;
    uint32_t& entry = s.table[hash >> index_shift];
    s.candidate[i] = entry - tag;  // a position if the tags agree, otherwise more than any
    entry = at + tag;
  }
}

/// Fills run_sample and run_candidate; `last_offset` is carried from strip to strip in all lanes.
uint32_t join_runs(Scratch& s, uint32_t count, __m512i& last_offset) {
  if (count == 0) return 0;
  uint32_t runs = 0;
  for (uint32_t i = 0; i < count; i += 16) {
    const __m512i at = load(s.sample + kBefore + i), before = load(s.sample + kBefore + i - 1);
    const __m512i from = load(s.candidate + i);
    const __m512i offset = _mm512_sub_epi32(at, from), offset_before = _mm512_alignr_epi32(offset, last_offset, 15);
    last_offset = offset;
    const __mmask16 hit = _mm512_mask_cmplt_epu32_mask(lanes_below(count - i), from, at);
    const __mmask16 goes_on =
        _mm512_mask_cmple_epu32_mask(_mm512_cmpeq_epi32_mask(offset, offset_before), _mm512_sub_epi32(at, before),
                                     _mm512_set1_epi32(static_cast<int>(kRunGap)));
    const auto first = static_cast<__mmask16>(hit & ~goes_on);
    store(s.run_sample + runs, _mm512_maskz_compress_epi32(first, at));
    store(s.run_candidate + runs, _mm512_maskz_compress_epi32(first, from));
    runs += static_cast<uint32_t>(_mm_popcnt_u32(first));
  }
  const uint32_t last = s.sample[kBefore + count - 1];
  s.sample[kBefore - 1] = last;
  last_offset = _mm512_set1_epi32(static_cast<int>(last - s.candidate[count - 1]));
  return runs;
}

/// How far a and b are equal; a ends at `end`.
__attribute__((noinline)) uint32_t equal_bytes(const uint8_t* a, const uint8_t* b, const uint8_t* end) {
  const uint8_t* const from = a;
  for (; end - a >= 64; a += 64, b += 64) {
    const uint64_t differ = _mm512_cmpneq_epi8_mask(load(a), load(b));
    if (differ) return static_cast<uint32_t>(a - from + static_cast<ptrdiff_t>(_tzcnt_u64(differ)));
  }
  for (; a < end && *a == *b; ++a, ++b) {
  }
  return static_cast<uint32_t>(a - from);
}

/// Fills s.runs: from at most 16 bytes before the sample to the first difference or the end of the block.
void measure(Scratch& s, const uint8_t* data, uint32_t runs, uint32_t block_end) {
  for (uint32_t i = 0; i < runs; ++i) {
    const uint32_t at = s.run_sample[i], from = s.run_candidate[i];
    const uint64_t differ = _mm512_cmpneq_epi8_mask(load(data + at - 16), load(data + from - 16));
    uint32_t end = at + static_cast<uint32_t>(_tzcnt_u64(differ >> 16));
    if (__builtin_expect(differ >> 16 == 0, 0)) {
      const uint32_t known = at + 48;
      if (i > 0 && s.runs.offset[i - 1] == at - from && s.runs.end[i - 1] > known) {
        end =
            s.runs.end[i - 1];  // inside of that run: measured once, or a short period would cost its length each time
      } else if (known < block_end) {
        end = known + equal_bytes(data + known, data + from + 48, data + block_end);
      }
    }
    s.runs.end[i] = end < block_end ? end : block_end;
    s.runs.start[i] = at - static_cast<uint32_t>(_lzcnt_u64(differ << 48 | uint64_t{1} << 47));
    s.runs.offset[i] = at - from;
  }
}

/// Moves the runs i + (lanes of `keep`) to `kept` and counts them in.
void keep_runs(Runs& runs, uint32_t i, __mmask16 keep, uint32_t& kept) {
  uint32_t* const fields[] = {runs.start, runs.end, runs.offset};
  for (uint32_t* field : fields) {
    store(field + kept, _mm512_maskz_compress_epi32(keep, load(field + i)));
  }
  kept += static_cast<uint32_t>(_mm_popcnt_u32(keep));
}

/// Drops runs that end no later than the one before them; `taken` is where the last match ends.
uint32_t drop_covered(Runs& runs, uint32_t count, uint32_t taken) {
  uint32_t kept = 0;
  __m512i before = _mm512_set1_epi32(static_cast<int>(taken));
  for (uint32_t i = 0; i < count; i += 16) {
    const __m512i end = load(runs.end + i);
    const __mmask16 farther = _mm512_cmpgt_epi32_mask(end, _mm512_alignr_epi32(end, before, 15));
    before = end;
    keep_runs(runs, i, farther & lanes_below(count - i), kept);
  }
  return kept;
}

/// Drops runs whose successor gives up less at the start than it wins at the end.
uint32_t drop_outdone(Runs& runs, uint32_t count) {
  runs.start[count] = 1 << 30;
  runs.end[count] = 0;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i += 16) {
    const __m512i lost = _mm512_sub_epi32(load(runs.start + i + 1), load(runs.start + i));
    const __m512i won = _mm512_sub_epi32(load(runs.end + i + 1), load(runs.end + i));
    const __mmask16 keep = _mm512_cmpge_epi32_mask(lost, _mm512_min_epi32(won, _mm512_set1_epi32(kWorthLonger)));
    keep_runs(runs, i, keep & lanes_below(count - i), kept);
  }
  return kept;
}

/// Cuts off what the run before has taken and keeps what is still long enough.
uint32_t take(Runs& runs, uint32_t count, uint32_t taken) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t start = runs.start[i] > taken ? runs.start[i] : taken, end = runs.end[i], offset = runs.offset[i];
    const uint32_t ok = static_cast<int>(end - start) >= kMinTotal ? ~0u : 0;
    runs.start[kept] = start;
    runs.end[kept] = end;
    runs.offset[kept] = offset;
    kept -= ok;
    taken = choose(ok, end, taken);
  }
  return kept;
}

/// Appends sequences to `out`.
class Writer {
 public:
  Writer(const Scratch& s, Sequence* out)
      : data_(s.data), last_load_(s.size - 64), out_(out), taken_(s.taken), last_offset_(s.last_offset) {}

  uint32_t taken() const { return taken_; }
  uint32_t last_offset() const { return last_offset_; }
  const Sequence* out() const { return out_; }

  void match(uint32_t start, uint32_t end, uint32_t offset) {
    repeat_in_literals(start);
    put(start, end, offset);
    last_offset_ = offset;
  }
  void end_block(uint32_t end) { put(end, end, 0); }

 private:
  void put(uint32_t start, uint32_t end, uint32_t offset) {
    *out_++ = {offset, start - taken_, end - start, 0};
    taken_ = end;
  }
  /// A short match with the last offset before `end`, if there is one within 64 bytes.
  void repeat_in_literals(uint32_t end) {
    // Past last_load_ no sample was taken, so there `end` is taken_ itself and what is loaded does not matter.
    const uint8_t* const here = data_ + (taken_ < last_load_ ? taken_ : last_load_);
    uint64_t equal = _mm512_cmpeq_epi8_mask(load(here), load(here - last_offset_));
    equal &= equal >> 1;
    equal &= equal >> 2;  // now the first bytes of four that are equal
    int room = static_cast<int>(end - taken_) - (kMinRepeat - 1);
    room = room < 0 ? 0 : room;
    room &= -static_cast<int>(last_offset_ != 0);
    equal = _bzhi_u64(equal, static_cast<uint32_t>(room > 61 ? 61 : room));
    if (__builtin_expect(equal == 0, 1)) return;
    const uint32_t start = taken_ + static_cast<uint32_t>(_tzcnt_u64(equal));
    const uint32_t length = equal_bytes(data_ + start, data_ + start - last_offset_, data_ + end);
    put(start, start + length, last_offset_);
  }

  const uint8_t* data_;
  uint32_t last_load_;  // the last position 64 bytes can be loaded from
  Sequence* out_;
  uint32_t taken_;
  uint32_t last_offset_;
};

}  // namespace

void begin(Scratch& s, const uint8_t* data, uint32_t size) {
  s.data = data;
  s.size = size;
  // One entry for each sample of a small input is enough, and quicker to clear.
  s.table_bits = kTableBits;
  while (s.table_bits > 10 && size >> s.table_bits < 2) --s.table_bits;
  __builtin_memset(s.table, 0xff, sizeof(uint32_t) << s.table_bits);  // no position is that large
  s.stride = 1;
  s.taken = 0;
  s.last_offset = 0;
}

size_t find_block(Scratch& s, uint32_t start, uint32_t end, Sequence* out) {
  Writer writer(s, out);
  const uint32_t sample_end = s.size - kMargin, stop = end < sample_end ? end : sample_end;
  s.sample[kBefore - 1] = 0;  // no run crosses into a block
  __m512i last_offset = _mm512_setzero_si512();
  for (uint32_t at = start == 0 ? 16 : start; at < stop; at += s.stride * kStrip) {
    if (writer.taken() >= at + kStrip) {
      at += (writer.taken() - at) / kStrip * kStrip;
      if (at >= stop) break;
    }
    const uint32_t count = collect_samples(s, s.data, at, stop - at < kStrip ? stop - at : kStrip);
    look_up(s, s.data, count, s.table_bits);
    uint32_t runs = join_runs(s, count, last_offset);
    measure(s, s.data, runs, end);
    runs = drop_covered(s.runs, runs, writer.taken());
    runs = drop_outdone(s.runs, runs);
    runs = take(s.runs, runs, writer.taken());
    for (uint32_t i = 0; i < runs; ++i) writer.match(s.runs.start[i], s.runs.end[i], s.runs.offset[i]);
    s.stride = runs > 0 ? 1 : s.stride < kMaxStride ? s.stride + 1 : s.stride;
  }
  writer.end_block(end);
  s.taken = writer.taken();
  s.last_offset = writer.last_offset();
  return static_cast<size_t>(writer.out() - out);
}

bool restores(const uint8_t* data, uint32_t size, const Sequence* sequences, size_t count) {
  uint32_t at = 0;
  for (const Sequence* sequence = sequences; sequence != sequences + count; ++sequence) {
    if (sequence->literals > size - at) return false;
    at += sequence->literals;
    if (sequence->length == 0) continue;
    if (sequence->offset == 0 || sequence->offset > at || sequence->length > size - at) return false;
    const uint8_t* here = data + at;
    const uint8_t* there = here - sequence->offset;
    for (uint32_t done = 0; done < sequence->length; done += 64) {
      const uint32_t left = sequence->length - done;
      const __mmask64 lanes = _bzhi_u64(~0ull, left < 64 ? left : 64);
      if (_mm512_mask_cmpneq_epi8_mask(lanes, _mm512_maskz_loadu_epi8(lanes, here + done),
                                       _mm512_maskz_loadu_epi8(lanes, there + done)) != 0) {
        return false;
      }
    }
    at += sequence->length;
  }
  return at == size;
}

}  // namespace holdfast::codec::kernel

#endif
