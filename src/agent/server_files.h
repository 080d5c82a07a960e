// What the agent does by path inside the directories of the server's user (data, log, tmp, sockets): as that user, so
// that no link it puts there leads anywhere it could not go by itself.
#pragma once

#include <optional>
#include <string>

#include "agent/config.h"
#include "base/result.h"
#include "sys/act_as.h"
#include "sys/file.h"

namespace holdfast::agent {

/// Who the server runs as; nullopt when that is who we are already. For all other work in there:
/// `const sys::ActAs as_server(server_identity(config));`
std::optional<sys::Identity> server_identity(const MemberConfig& config);

/// Who works on the names beside the data directory of an existing server: its user, where that could change what they
/// lead to; nullopt = who we are.
std::optional<sys::Identity> beside_identity(const MemberConfig& config);

/// The whole of a file of at most `limit` bytes.
Result<std::string> read_as_server(const MemberConfig& config, const std::string& path, size_t limit = 64 << 20);
/// The last `limit` bytes of a file, and nothing before `from`; "" when it cannot be read.
std::string tail_as_server(const MemberConfig& config, const std::string& path, size_t limit, off_t from = 0);
/// The same where it is not known whose directory it is: `name` in it, if that is a regular file and no link; "" when
/// it cannot be read. The directory above `dir` is trusted.
std::string read_in(const std::string& dir, const std::string& name, size_t limit = 64 << 10);
/// A log, made where there is none, to append to.
Result<sys::Fd> open_log(const MemberConfig& config, const std::string& path);

/// Directories in which root works by path must be nobody else's to change: refuses ("agent.unsafe_directory") a member
/// directory where the server's user, or any other, could put something of its own under a name that we use. Only asked
/// as root: nobody else has more rights than the files' owner.
Status check_own_directories(const MemberConfig& config);

}  // namespace holdfast::agent
