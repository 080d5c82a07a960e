#include "tests/bench/words.h"

#include <cmath>
#include <set>

namespace holdfast::bench {
namespace {

constexpr std::string_view kStarts[] = {"b",  "br", "c",   "ch", "d",  "dr", "f", "fl", "g",  "gr", "h",
                                        "j",  "k",  "kl",  "l",  "m",  "n",  "p", "pl", "qu", "r",  "s",
                                        "sh", "st", "str", "t",  "th", "tr", "v", "w",  "z",  ""};
constexpr std::string_view kMiddles[] = {"a", "e", "i", "o", "u", "ai", "ea", "ie", "oo", "ou", "y", "au"};
constexpr std::string_view kEnds[] = {"",   "n",  "r",  "s",  "t",  "l", "m", "nd",
                                      "nt", "st", "ck", "ng", "rd", "x", "p", "ll"};

template <size_t N>
std::string_view pick(Random& random, const std::string_view (&from)[N]) {
  return from[random.below(N)];
}

}  // namespace

Words::Words(size_t count) {
  Random random(0x776f726473);
  std::set<std::string> seen;
  while (words_.size() < count) {
    // Common words are short: the first hundred have one syllable, later ones up to four.
    const size_t syllables = 1 + (words_.size() > 100 ? random.below(words_.size() > 1500 ? 4 : 3) : 0);
    std::string word;
    for (size_t i = 0; i < syllables; ++i) {
      word += pick(random, kStarts);
      word += pick(random, kMiddles);
      if (i + 1 == syllables || random.chance(0.3)) word += pick(random, kEnds);
    }
    if (seen.insert(word).second) words_.push_back(std::move(word));
  }
  ranks_.resize(64 << 10);
  for (size_t i = 0; i < ranks_.size(); ++i) {
    const double unit = (static_cast<double>(i) + 0.5) / static_cast<double>(ranks_.size());
    ranks_[i] = static_cast<uint32_t>(std::pow(static_cast<double>(count) + 1, unit) - 1);  // density ~ 1/rank
    if (ranks_[i] >= count) ranks_[i] = static_cast<uint32_t>(count - 1);
  }
}

std::string_view Words::common(Random& random) const {
  return words_[ranks_[random.below(ranks_.size())]];
}

const Words& vocabulary() {
  static const Words words(12'000);
  return words;
}

}  // namespace holdfast::bench
