// Made-up words with the frequencies of natural language: few are common, most are rare.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/random.h"

namespace holdfast::bench {

class Words {
 public:
  /// `count` different words, the same for every caller.
  explicit Words(size_t count);

  /// A word of text, by rank with a Zipf-like distribution.
  std::string_view common(Random& random) const;
  /// A word where each is as likely as the others (names, keys).
  std::string_view any(Random& random) const { return words_[random.below(words_.size())]; }
  std::string_view at(size_t rank) const { return words_[rank % words_.size()]; }

 private:
  std::vector<std::string> words_;
  std::vector<uint32_t> ranks_;  ///< 64 Ki draws of the distribution; common() picks one of them
};

/// The vocabulary all generators share.
const Words& vocabulary();

}  // namespace holdfast::bench
