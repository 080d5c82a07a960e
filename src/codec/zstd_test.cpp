#include "codec/zstd.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <functional>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace holdfast::codec {
namespace {

using Bytes = std::vector<uint8_t>;

struct Kind {
  const char* name;
  std::function<Bytes(size_t size)> make;
};

Bytes sql_rows(size_t size) {
  std::mt19937_64 random(7);
  std::string text;
  for (int id = 1; text.size() < size; ++id) {
    text += id % 300 == 1 ? "INSERT INTO `customers` VALUES " : ",";
    text += "(" + std::to_string(id) + ",'name" + std::to_string(random() % 5000) + "','+49" +
            std::to_string(random()) +
            "','{\\\"theme\\\":\\\"dark\\\",\\\"visits\\\":" + std::to_string(random() % 4000) + "}','2019-01-" +
            std::to_string(10 + random() % 20) + " 15:06:34')";
  }
  return {text.begin(), text.begin() + static_cast<ptrdiff_t>(size)};
}

Bytes pages(size_t size) {
  std::mt19937_64 random(8);
  Bytes out(size);
  for (size_t at = 0; at + 16384 <= size; at += 16384) {
    for (size_t record = at + 120; record + 60 < at + 12000; record += 60) {
      for (size_t i = 0; i < 8; ++i) out[record + 8 + i] = static_cast<uint8_t>(random());
      out[record] = 0x80;
      out[record + 4] = static_cast<uint8_t>(record >> 8);
    }
  }
  return out;
}

const Kind kKinds[] = {
    {"zeros", [](size_t size) { return Bytes(size); }},
    {"random",
     [](size_t size) {
       std::mt19937_64 random(5);
       Bytes out(size);
       for (uint8_t& byte : out) byte = static_cast<uint8_t>(random());
       return out;
     }},
    {"two letters",
     [](size_t size) {
       std::mt19937_64 random(6);
       Bytes out(size);
       for (uint8_t& byte : out) byte = static_cast<uint8_t>('a' + random() % 2);
       return out;
     }},
    {"a period of 13",
     [](size_t size) {
       Bytes out(size);
       for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(i % 13 * 19);
       return out;
     }},
    {"sql", sql_rows},
    {"pages", pages},
    {"random with islands of text",
     [](size_t size) {
       std::mt19937_64 random(9);
       const Bytes text = sql_rows(size);
       Bytes out(size);
       for (size_t i = 0; i < size; ++i) out[i] = i / 9000 % 5 == 0 ? text[i] : static_cast<uint8_t>(random());
       return out;
     }},
};

/// Decodes with libzstd itself and checks what the repository format relies on.
void expect_frame_of(ByteSpan frame, ByteSpan plain) {
  ASSERT_LE(frame.size(), ZstdCompressor::bound(plain.size()));
  ASSERT_GE(frame.size(), 6u);
  EXPECT_EQ(ZSTD_getFrameContentSize(frame.data(), frame.size()), plain.size());
  EXPECT_EQ(ZSTD_findFrameCompressedSize(frame.data(), frame.size()), frame.size());
  const uint8_t descriptor = frame[4];  // RFC 8878, 3.1.1.1.1
  EXPECT_EQ(descriptor & 0x04, 0) << "a checksum";
  EXPECT_EQ(descriptor & 0x03, 0) << "a dictionary";
  if (!(descriptor & 0x20)) {  // otherwise the window is the content
    EXPECT_LE(size_t{1} << (10 + (frame[5] >> 3)), size_t{8} << 20);
  }
  Bytes decoded(plain.size());
  ASSERT_EQ(ZSTD_decompress(decoded.data(), decoded.size(), frame.data(), frame.size()), plain.size());
  ASSERT_TRUE(std::ranges::equal(decoded, plain));
}

Bytes compressed(ZstdCompressor& compressor, ByteSpan plain) {
  Bytes frame(ZstdCompressor::bound(plain.size()));
  const auto size = compressor.compress(plain, frame);
  EXPECT_TRUE(size) << size.error().message;
  frame.resize(size ? *size : 0);
  return frame;
}

TEST(Zstd, every_kind_and_size_is_decoded_by_libzstd) {
  std::vector<size_t> sizes;
  for (size_t size = 0; size <= 100; ++size) sizes.push_back(size);
  for (const size_t block : {size_t{64} << 10, size_t{128} << 10, size_t{256} << 10}) {
    for (const size_t size : {block - 512, block - 1, block, block + 1, block + 17, block + 72, block + 600}) {
      sizes.push_back(size);
    }
  }
  for (const size_t size : {size_t{1'500'000}, (size_t{8} << 20) - 1, size_t{8} << 20, (size_t{8} << 20) + 1}) {
    sizes.push_back(size);
  }
  ZstdCompressor compressor(ZstdProfile::stream);
  for (const Kind& kind : kKinds) {
    const Bytes all = kind.make(sizes.back());
    for (const size_t size : sizes) {
      SCOPED_TRACE(testing::Message() << kind.name << ", " << size << " bytes");
      const ByteSpan plain = ByteSpan(all).first(size);
      expect_frame_of(compressed(compressor, plain), plain);
    }
  }
}

TEST(Zstd, text_and_pages_shrink) {
  ZstdCompressor compressor(ZstdProfile::stream);
  EXPECT_LT(compressed(compressor, sql_rows(1'500'000)).size(), 1'500'000u * 2 / 5);
  EXPECT_LT(compressed(compressor, pages(1'500'000)).size(), 1'500'000u / 5);
  EXPECT_LT(compressed(compressor, Bytes(8 << 20)).size(), 2000u);
}

TEST(Zstd, a_frame_does_not_depend_on_what_was_compressed_before) {
  ZstdCompressor used(ZstdProfile::stream);
  for (int round = 0; round < 2; ++round) {
    for (const Kind& kind : kKinds) {
      for (const size_t size : {size_t{70'000}, size_t{700'000}, size_t{3'000'000}}) {
        const Bytes plain = kind.make(size);
        ZstdCompressor fresh(ZstdProfile::stream);
        EXPECT_EQ(compressed(used, plain), compressed(fresh, plain)) << kind.name << ", " << size;
      }
    }
  }
}

/// Writable memory between two pages that must not be touched.
class Walled {
 public:
  explicit Walled(size_t pages) : inside_(pages * page()) {
    void* const map = mmap(nullptr, inside_ + 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(static_cast<uint8_t*>(map) + page(), inside_, PROT_READ | PROT_WRITE) != 0) {
      throw std::bad_alloc();
    }
    map_ = static_cast<uint8_t*>(map);
  }
  ~Walled() { munmap(map_, inside_ + 2 * page()); }
  Walled(const Walled&) = delete;
  Walled& operator=(const Walled&) = delete;

  static size_t page() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }
  size_t size() const { return inside_; }
  ByteSpan at_start(ByteSpan bytes) { return put(bytes, map_ + page()); }
  ByteSpan at_end(ByteSpan bytes) { return put(bytes, map_ + page() + inside_ - bytes.size()); }

 private:
  static ByteSpan put(ByteSpan bytes, uint8_t* to) {
    std::ranges::copy(bytes, to);
    return {to, bytes.size()};
  }
  size_t inside_;
  uint8_t* map_ = nullptr;
};

TEST(Zstd, nothing_outside_of_the_input_is_read) {
  Walled walled(64);
  ZstdCompressor compressor(ZstdProfile::stream);
  for (const Kind& kind : kKinds) {
    const Bytes bytes = kind.make(walled.size());
    const auto both_ends = [&](size_t size) {
      SCOPED_TRACE(testing::Message() << kind.name << ", " << size << " bytes");
      const ByteSpan plain = ByteSpan(bytes).first(size);
      const Bytes frame = compressed(compressor, walled.at_start(plain));
      expect_frame_of(frame, plain);
      EXPECT_EQ(compressed(compressor, walled.at_end(plain)), frame);
    };
    for (size_t cut = 0; cut < 200; cut += 1 + cut / 70 * 7) both_ends(walled.size() - cut);
    for (const size_t size : {size_t{1}, size_t{63}, size_t{64 << 10}, size_t{70'001}, size_t{128 << 10}}) {
      both_ends(size);
    }
  }
}

TEST(Zstd, overlapping_matches_at_the_very_end) {
  std::mt19937_64 random(11);
  const auto noise = [&](size_t size) {
    Bytes out(size);
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(random());
    return out;
  };
  Walled walled(64);
  ZstdCompressor compressor(ZstdProfile::stream);
  for (size_t last = 1; last < 80; ++last) {
    // a, b and c stand at the end; before, a b stand together, and later b c do: both matches overlap in b.
    const Bytes text = sql_rows(70'000), a = noise(40), b = noise(90), c = noise(last);
    Bytes plain = text;
    const Bytes* const parts[] = {&a, &b, &text, &b, &c, &text, &a, &b, &c};
    for (const Bytes* part : parts) plain.insert(plain.end(), part->begin(), part->end());
    expect_frame_of(compressed(compressor, walled.at_end(plain)), plain);
  }
}

TEST(Zstd, nothing_is_left_of_an_earlier_input) {
  // The table still points at where text stood in the first input. In the second it stands there as well, but among
  // random bytes, most of which are skipped: only a table that was not cleared leads from the copies to it.
  const Bytes text = sql_rows(3'000'000);
  Bytes second = kKinds[1].make(text.size());
  for (size_t at = 100'000; at + 300 < text.size(); at += 10'000) {
    std::copy_n(text.begin() + static_cast<ptrdiff_t>(at), 300, second.begin() + static_cast<ptrdiff_t>(at));
    second.insert(second.end(), text.begin() + static_cast<ptrdiff_t>(at),
                  text.begin() + static_cast<ptrdiff_t>(at + 300));
  }
  ZstdCompressor used(ZstdProfile::stream), fresh(ZstdProfile::stream);
  compressed(used, text);
  EXPECT_EQ(compressed(used, second), compressed(fresh, second));
}

TEST(Zstd, a_buffer_too_small_is_an_error) {
  ZstdCompressor compressor(ZstdProfile::stream);
  const Bytes plain = sql_rows(300'000);
  Bytes frame(1000);
  const auto size = compressor.compress(plain, frame);
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().id, "codec.zstd");
  expect_frame_of(compressed(compressor, plain), plain);
}

}  // namespace
}  // namespace holdfast::codec
