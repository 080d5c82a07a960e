#include <cstdlib>

#include "repo/format/index_file.h"

// An index that is taken must mean the same after it was written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  std::vector<repo::PackContents> packs, again;
  const auto collect = [](std::vector<repo::PackContents>& into) {
    return [&into](repo::PackContents&& pack) { into.push_back(std::move(pack)); };
  };
  if (!repo::parse_index(as_text(ByteSpan(data, size)), collect(packs))) return 0;
  std::string text;
  for (const auto& pack : packs) {
    if (!text.empty()) text += ',';
    repo::append_index_pack(text, pack.id, pack.blobs);
  }
  if (!repo::parse_index(repo::index_text(text, {}), collect(again)) || again.size() != packs.size()) std::abort();
  for (size_t i = 0; i < packs.size(); ++i) {
    if (packs[i].id != again[i].id || packs[i].blobs != again[i].blobs) std::abort();
  }
  return 0;
}
