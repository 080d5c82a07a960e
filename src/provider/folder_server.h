// A stand-alone server of our own in a folder, run by this process: for restores into a new place.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "cluster/types.h"
#include "engine/member_control.h"

namespace holdfast::provider {

/// A stand-alone server in `folder` (made, or empty): data/, etc/, log/ and admin.password are created in it. The
/// server is run by this process and ends with it. PostgreSQL: of that major version, where it is installed.
/// "restore.not_empty" (refused) when something is there already.
Result<std::unique_ptr<engine::MemberControl>> control_folder(const std::string& folder, cluster::Engine engine,
                                                              const std::string& name, std::stop_token stop,
                                                              int postgres_major = 0);

}  // namespace holdfast::provider
