// Short-lived files that hand a password to a client program: never in its arguments, never in its environment.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cluster/types.h"
#include "sql/rows.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/user.h"

namespace holdfast::engine {

/// A directory of mode 0700 with one file of mode 0600; both are removed when the object goes. With a `reader` the file
/// is that user's, and the directory lets it through, no more.
class PrivateFile {
 public:
  static Result<PrivateFile> create(const std::string& name, const Secret& text,
                                    const std::optional<sys::Identity>& reader = std::nullopt);
  const std::string& path() const { return path_; }
  const std::string& directory() const { return directory_->path(); }

 private:
  PrivateFile(std::unique_ptr<sys::TempDir> directory, std::string path)
      : directory_(std::move(directory)), path_(std::move(path)) {}
  std::unique_ptr<sys::TempDir> directory_;
  std::string path_;
};

/// A program that connects to `target` runs as target.peer, where the server shall see that user.
void run_as_peer(sys::Command& command, const sql::Target& target);

/// A value for such a file, quoted.
Secret mysql_option_value(std::string_view text);
/// An option file for mariadb, mariadb-dump, mysql and mysqldump ([client] with user, password, socket or host and
/// port, and how TLS is used). "sql.plain_text" as sql/transport.h says.
Result<Secret> mysql_option_file(cluster::Engine engine, const sql::Target& target);
/// A .pgpass line that fits every host and database, for this user.
Secret postgres_password_file(const sql::Target& target);
/// Connection string for the programs of PostgreSQL, without password but with the password file's path.
/// "sql.plain_text" as sql/transport.h says.
Result<std::string> postgres_conninfo(const sql::Target& target, const std::string& passfile,
                                      const std::string& database);

}  // namespace holdfast::engine
