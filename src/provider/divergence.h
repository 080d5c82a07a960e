// `holdfast triage --export-divergence DIR`: what each member alone has, in a folder of files.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "cluster/triage.h"

namespace holdfast::provider {

struct ExportedMember {
  MemberName member;
  cluster::Errant errant;
  std::vector<std::string> files;  ///< names in the folder
  std::string not_written;         ///< why there is no SQL or WAL, or not of all
};

/// "divergence.not_empty" (refused) when `dir` is there and anything is in it, "divergence.in_the_way" when it is no
/// folder. Checked by export_divergence() too.
Status check_export_folder(const std::string& dir);

/// Writes the files (see engine/divergence.h) of every member of `report` that has something of its own. `dir` appears
/// complete (0700, renamed into place) or not at all; with nothing to write there is no folder and the list is empty.
/// Logs are read through the members' agents (provider/errant_log.h). Of a member that cannot be reached there is the
/// list alone, and not_written says why; "agent.not_permitted" and "agent.too_old" (refused) end the export.
Result<std::vector<ExportedMember>> export_divergence(const cluster::TriageReport& report, const std::string& dir,
                                                      std::stop_token stop = {});

}  // namespace holdfast::provider
