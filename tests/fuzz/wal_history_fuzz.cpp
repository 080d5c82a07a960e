#include <cstdlib>

#include "position/wal.h"

// Any file is refused or becomes a history that prints as it reads and leads somewhere.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::position;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto lsn = Lsn::parse(text); lsn && *Lsn::parse(lsn->to_string()) != *lsn) std::abort();
  const auto history = TimelineHistory::parse(text);
  if (!history) return history.error().id == "position.invalid" ? 0 : (std::abort(), 0);
  if (*TimelineHistory::parse(history->to_string()) != *history) std::abort();
  if (history->entries.empty() || history->entries.back().timeline == UINT32_MAX) return 0;
  const WalPosition here{"1", history->entries.back().timeline + 1, *history, Lsn{UINT64_MAX}, {}, {}};
  const WalPosition parent{"1", 1, {}, history->entries[0].at, {}, {}};
  if (!here.sound() || compare(here, here) != Order::equal) std::abort();
  if (compare(here, parent) != reversed(compare(parent, here))) std::abort();
  if (history->entries[0].timeline == 1 && history->entries[0].at.value < UINT64_MAX &&
      compare(parent, here) != Order::before)
    std::abort();
  return 0;
}
