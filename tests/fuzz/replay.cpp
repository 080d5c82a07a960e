// Feeds a corpus folder to a fuzz target: each file as it is, cut at every length, and with each byte changed.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  size_t files = 0, runs = 0;
  // Exact allocations, so that a sanitizer sees every read beyond the end.
  const auto feed = [&](const std::vector<uint8_t>& bytes, size_t size) {
    const std::vector<uint8_t> exact(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
    ++runs;
  };
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
      ++files;
      for (size_t size = 0; size <= bytes.size(); ++size) feed(bytes, size);
      for (size_t at = 0; at < bytes.size(); ++at) {
        for (const int change : {0x01, 0x20, 0x80, 0xff}) {
          bytes[at] ^= static_cast<uint8_t>(change);
          feed(bytes, bytes.size());
          bytes[at] ^= static_cast<uint8_t>(change);
        }
      }
    }
  }
  std::printf("%zu files, %zu inputs\n", files, runs);
  return files > 0 ? 0 : 1;
}
