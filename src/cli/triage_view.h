// A triage report for machines and for people.
#pragma once

#include "cli/output.h"
#include "cluster/triage.h"

namespace holdfast::cli {

/// `data` of `holdfast triage -o json`; its schema is docs/reference/triage.schema.json.
codec::Value triage_value(const cluster::TriageReport& report);
/// One member as `triage` and `get status` show it.
codec::Value member_value(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Topology, one sentence a member, diagnoses with their next command; evidence and readings too when `verbose`.
void print_triage(Output& out, const cluster::TriageReport& report, bool verbose);

/// "3 of 3 members healthy" with its mark, as a heading.
std::string cluster_heading(Output& out, const cluster::TriageReport& report);
/// ✓, ~ or ✗ in its colour.
std::string verdict_mark(Output& out, const cluster::MemberReport& member);

/// How a command that shows a report ends: "triage.unhealthy" (exit 4) naming the diagnoses, or well.
Status triage_verdict(const cluster::TriageReport& report);

}  // namespace holdfast::cli
