// Starts the disk's work while a copy still comes in. The kernel keeps written pages until a tenth of memory is full of
// them; whoever syncs the copy at its end would wait for all of it there, when nothing comes any more.
#pragma once

#include <optional>
#include <string>
#include <thread>

#include "sys/user.h"

namespace holdfast::agent {

/// From construction to destruction: what is newly written below `directory` (which need not be there yet) begins to go
/// to its disk within a fraction of a second. Looked at as `reader`; what cannot be read is left alone, and so is every
/// error, since nothing depends on it. No link is followed. Its thread opens files there, one at a time.
class EarlyWriteback {
 public:
  EarlyWriteback(std::string directory, std::optional<sys::Identity> reader);

 private:
  std::jthread thread_;
};

}  // namespace holdfast::agent
