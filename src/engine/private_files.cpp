#include "engine/private_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "sql/transport.h"

namespace holdfast::engine {
namespace {

// A value of an option file: in double quotes, where a backslash starts an escape. A double quote would end them for
// the search for comments: a # behind it would cut the rest off.
Secret option_value(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size() + 2);  // never moved: no copy is left behind
  out += '"';
  for (char c : text) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  out += '"';
  return Secret(std::move(out));
}

Secret pgpass_value(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size());
  for (char c : text) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return Secret(std::move(out));
}

std::string conninfo_value(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace

Result<PrivateFile> PrivateFile::create(const std::string& name, const Secret& text,
                                        const std::optional<sys::Identity>& reader) {
  auto directory = std::make_unique<sys::TempDir>(TRY(sys::TempDir::create("client")));
  std::string path = directory->path() + "/" + name;
  TRY_VOID(sys::publish_file(path, as_bytes(text.reveal()), 0600));
  if (reader && (::chmod(directory->path().c_str(), 0711) != 0 || ::chown(path.c_str(), reader->uid, reader->gid) != 0))
    return fail(sys::errno_error(errno, "giving " + path + " to its reader"));
  return PrivateFile(std::move(directory), std::move(path));
}

void run_as_peer(sys::Command& command, const sql::Target& target) {
  command.identity = sql::peer_of(target);
  if (command.identity) command.cwd = "/";  // where we are may be closed to it
}

Result<Secret> mysql_option_file(cluster::Engine engine, const sql::Target& target) {
  const auto transport = TRY(sql::transport_of(target));
  Secret text("[client]\nuser=");
  text.append(option_value(target.user)).append("\npassword=").append(option_value(target.password.reveal()));
  if (!target.socket.empty())
    text.append("\nprotocol=socket\nsocket=").append(option_value(target.socket)).append("\n");
  else
    text.append("\nprotocol=tcp\nhost=")
        .append(option_value(target.host))
        .append(fmt::format("\nport={}\n", target.port));
  text.append(engine == cluster::Engine::mysql ? sql::mysql_transport_options(target, transport)
                                               : sql::mariadb_transport_options(target, transport));
  return text;
}

Secret mysql_option_value(std::string_view text) {
  return option_value(text);
}

Secret postgres_password_file(const sql::Target& target) {
  Secret line("*:*:*:");
  line.append(pgpass_value(target.user)).append(":").append(pgpass_value(target.password.reveal())).append("\n");
  return line;
}

Result<std::string> postgres_conninfo(const sql::Target& target, const std::string& passfile,
                                      const std::string& database) {
  const auto transport = TRY(sql::transport_of(target));
  const auto [host, port] = sql::postgres_address(target);
  std::string text = fmt::format("host={} port={} user={} passfile={} application_name={} connect_timeout=15",
                                 conninfo_value(host), conninfo_value(port), conninfo_value(target.user),
                                 conninfo_value(passfile), conninfo_value(target.app_name));
  if (!database.empty()) text += " dbname=" + conninfo_value(database);
  for (const auto& [key, value] : sql::postgres_transport(target, transport))
    text += fmt::format(" {}={}", key, conninfo_value(value));
  return text;
}

}  // namespace holdfast::engine
