#include <cstdlib>

#include "repo/format/tree.h"

// A tree that is taken holds no name a restore could be led astray by, and is written the same way twice.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  auto tree = repo::parse_tree(as_text(ByteSpan(data, size)));
  if (!tree) return 0;
  for (const auto& node : tree->nodes) {
    if (node.name.empty() || node.name == "." || node.name == ".." || node.name.find('/') != std::string::npos ||
        node.name.find('\0') != std::string::npos) {
      std::abort();
    }
  }
  // Link targets that are no UTF-8 are replaced when written, so only what was written once must stay as it is.
  auto once = repo::parse_tree(repo::tree_text(tree->nodes));
  if (!once) std::abort();
  const std::string written = repo::tree_text(once->nodes);
  auto twice = repo::parse_tree(written);
  if (!twice || repo::tree_text(twice->nodes) != written) std::abort();
  return 0;
}
