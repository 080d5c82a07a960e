#include "steward/caller.h"

namespace holdfast::steward {

Status refuse_if_interrupted(const Caller& caller) {
  if (!caller.stop.stop_requested()) return {};
  return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted; nothing was changed");
}

}  // namespace holdfast::steward
