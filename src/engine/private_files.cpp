#include "engine/private_files.h"

#include <fmt/format.h>

namespace holdfast::engine {
namespace {

// A value of an option file: in double quotes, where a backslash starts an escape. A double quote would end them for
// the search for comments: a # behind it would cut the rest off.
std::string option_value(std::string_view text) {
  std::string out = "\"";
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
  return out + "\"";
}

std::string pgpass_value(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
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

Result<PrivateFile> PrivateFile::create(const std::string& name, std::string_view text) {
  auto directory = std::make_unique<sys::TempDir>(TRY(sys::TempDir::create("client")));
  std::string path = directory->path() + "/" + name;
  TRY_VOID(sys::publish_file(path, as_bytes(text), 0600));
  return PrivateFile(std::move(directory), std::move(path));
}

std::string mysql_option_file(const sql::Target& target) {
  std::string text = fmt::format("[client]\nuser={}\npassword={}\n", option_value(target.user),
                                 option_value(target.password.reveal()));
  if (!target.socket.empty()) {
    text += fmt::format("protocol=socket\nsocket={}\n", option_value(target.socket));
  } else {
    text += fmt::format("protocol=tcp\nhost={}\nport={}\n", option_value(target.host), target.port);
  }
  return text;
}

std::string mysql_option_value(std::string_view text) {
  return option_value(text);
}

std::string postgres_password_file(const sql::Target& target) {
  return fmt::format("*:*:*:{}:{}\n", pgpass_value(target.user), pgpass_value(target.password.reveal()));
}

std::string postgres_conninfo(const sql::Target& target, const std::string& passfile, const std::string& database) {
  std::string host = target.host;
  if (!target.socket.empty()) host = target.socket.substr(0, target.socket.rfind('/'));
  std::string text =
      fmt::format("host={} port={} user={} passfile={} dbname={} application_name=holdfast connect_timeout=15",
                  conninfo_value(host), target.port, conninfo_value(target.user), conninfo_value(passfile),
                  conninfo_value(database));
  if (target.tls) {
    text += " sslmode=verify-full";
    if (!target.tls_ca.empty()) text += " sslrootcert=" + conninfo_value(target.tls_ca);
  }
  return text;
}

}  // namespace holdfast::engine
