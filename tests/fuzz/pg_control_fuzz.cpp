#include <cstdlib>

#include "engine/postgres/stored.h"

// The same bytes as a control file, a history file and a postmaster.pid.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::engine::postgres;
  const ByteSpan bytes(data, size);
  if (const auto control = parse_control(bytes);
      control && (control->redo > control->checkpoint || control->wal_segment_size == 0 || control->timeline == 0))
    std::abort();
  if (const auto history = parse_history(9, as_text(bytes)))
    for (const auto& step : history->entries)
      if (step.timeline >= 9) std::abort();
  (void)parse_postmaster_pid(as_text(bytes));
  return 0;
}
