// What must still be so when a plan that was shown is carried out. Pure.
#pragma once

#include "cluster/triage.h"
#include "codec/value.h"

namespace holdfast::repair {

/// The facts a plan rests on, as it keeps them: what must not have changed when it runs.
codec::Value world_of(const cluster::TriageReport& report);

}  // namespace holdfast::repair
