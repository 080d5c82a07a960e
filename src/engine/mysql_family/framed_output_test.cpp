#include "engine/mysql_family/framed_output.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace holdfast::engine {
namespace {

// What comes out when the program writes `text` in pieces and the reader asks with `buffer` bytes.
std::string framed(std::string_view text, size_t piece, size_t buffer, bool* complete) {
  FramedOutput frame({"-- first\n", "-- last\nSET @a = 1;\n"});
  std::string out;
  std::vector<uint8_t> bytes(buffer);
  const auto drain = [&] {
    while (const size_t got = frame.take(bytes)) out += as_text({bytes.data(), got});
  };
  drain();
  while (!text.empty()) {
    const size_t held = frame.begin(bytes);
    const size_t size = std::min({piece, text.size(), bytes.size() - held});
    std::memcpy(bytes.data() + held, text.data(), size);
    text.remove_prefix(size);
    const size_t got = frame.end(bytes, held + size);
    out += as_text({bytes.data(), got});
    drain();
  }
  *complete = frame.close();
  drain();
  if (*complete) {
    frame.put("-- rows\n");
    drain();
    frame.finish();
    drain();
  }
  return out;
}

TEST(FramedOutput, stands_before_the_first_byte_and_before_the_end_mark) {
  const std::string body = "CREATE DATABASE `a`;\n" + std::string(700, 'x') + "\n\n";
  for (const std::string mark : {"-- Dump completed\n", "-- Dump completed on 2026-01-02 03:04:05\n"}) {
    for (size_t piece : {1, 2, 7, 100, 255, 256, 257, 1000}) {
      for (size_t buffer : {size_t{257}, size_t{300}, size_t{4096}}) {
        bool complete = false;
        EXPECT_EQ(framed(body + mark, piece, buffer, &complete), "-- first\n" + body +
                                                                     "-- rows\n-- last\nSET @a = "
                                                                     "1;\n" +
                                                                     mark);
        EXPECT_TRUE(complete);
      }
    }
  }
}

TEST(FramedOutput, a_program_that_ends_early_is_not_complete) {
  for (const std::string text : {"", "-- Dump", "x\n-- Dump complete", "INSERT"}) {
    bool complete = true;
    framed(text, 5, 512, &complete);
    EXPECT_FALSE(complete) << text;
  }
}

}  // namespace
}  // namespace holdfast::engine
