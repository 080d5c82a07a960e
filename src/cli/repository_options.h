// Where the repository is and how it opens, from flags and environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "cli/context.h"

namespace holdfast::cli {

struct PasswordSource {
  enum class Kind { literal, file, command, prompt };
  Kind kind = Kind::prompt;
  Secret literal;       ///< kind literal
  std::string file;     ///< kind file
  std::string command;  ///< kind command: words split as a shell splits them, run without a shell
  std::string ways;     ///< how to give it, for the hint where there is none; "" = a repository's
};

struct RepositoryAccess {
  bool source = false;   ///< what is copied from: it has flags and variables of its own
  std::string location;  ///< "/srv/repo", "s3:https://host/bucket/prefix", "rest:https://host/"; may hold credentials
  PasswordSource password;
  std::string key_hint;
  std::string cache_dir;  ///< "" = the default place
  bool no_cache = false;
  bool no_lock = false;
  std::chrono::seconds retry_lock{0};
  uint64_t limit_upload = 0;    ///< bytes per second, 0 = no limit
  uint64_t limit_download = 0;  ///< bytes per second, 0 = no limit
  std::string ca_cert;          ///< PEM file
  std::string tls_client_cert;  ///< PEM file with certificate and key
  bool insecure_tls = false;
  std::map<std::string, std::string> store_options;  ///< "s3.bucket-lookup" -> "path"
};

/// The repository of -r and its environment. "cli.no_repository" (usage) when none is named. Does not ask for the
/// password yet. Warns on the output about a password in the argument vector.
Result<RepositoryAccess> repository_access(Context& context);
/// The --from-repo side of `repo copy` and `repo init`.
Result<RepositoryAccess> source_repository_access(Context& context);

/// Reads the file, runs the command or asks on the terminal (echo off). `confirm` asks twice (a new password).
/// Errors: "cli.no_password" (usage) where there is nobody to ask, "cli.password_file", "cli.password_command".
/// White space around it is dropped, as restic does. Blocks; the command gets 60 s.
Result<Secret> resolve_password(const PasswordSource& source, const std::string& prompt, bool confirm,
                                std::stop_token stop);

/// Source of a new password: --new-password-file, --new-password-command, else the prompt.
PasswordSource new_password_source(const Context& context);

/// "a 'b c' d\ e" -> {"a", "b c", "d e"}; quotes and backslash as restic's shell splitting has them.
Result<std::vector<std::string>> split_words(std::string_view text);
/// "90s", "5m", "1h30m", "250ms" (rounded up).
Result<std::chrono::seconds> parse_span(const std::string& text, const std::string& origin);

}  // namespace holdfast::cli
