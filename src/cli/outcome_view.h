// What came of a repair, for machines and for people.
#pragma once

#include <string>
#include <vector>

#include "cli/output.h"
#include "steward/outcome.h"

namespace holdfast::cli {

/// `data` of repair and bootstrap: {before, skipped, plan, operation, after, kept} of the first plan, as far as it
/// came, with those behind it as "further"; "after" and "kept" are of them all. Null without a plan run.
codec::Value outcome_value(const steward::Outcome& outcome);

/// After a dry run whose plan has steps.
void print_dry_run(Output& out, const steward::Outcome& outcome);

codec::Value kept_value(const std::vector<steward::KeptCopy>& kept);
/// A line for each; nothing when there is none.
void print_kept(Output& out, const std::string& operation, const std::vector<steward::KeptCopy>& kept);

}  // namespace holdfast::cli
