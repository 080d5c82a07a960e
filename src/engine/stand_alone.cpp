#include "engine/stand_alone.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/programs.h"

namespace holdfast::engine {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

/// For the shell.
std::string quoted(const std::string& text) {
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") ==
      std::string::npos)
    return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Name or number of the directory's owner; "" when that is who we are.
std::string owner_of(const std::string& folder) {
  struct stat seen{};
  if (::stat(folder.c_str(), &seen) != 0 || seen.st_uid == ::geteuid()) return "";
  const passwd* entry = ::getpwuid(seen.st_uid);
  return entry ? entry->pw_name : fmt::format("#{}", seen.st_uid);
}

/// --log-bin and --relay-log of the server that wrote the copy: after a crash its binary log decides what was
/// committed, and without its relay log it complains.
std::string logs_of(const std::string& folder) {
  std::string flags;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".index") continue;
    const std::string stem = it->path().stem().string();
    std::ifstream index(it->path());
    std::string first;
    std::getline(index, first);
    if (!first.starts_with("./" + stem + ".")) continue;
    flags += (stem.find("relay") == std::string::npos ? " --log-bin=" : " --relay-log=") + quoted(stem);
  }
  return flags;
}

}  // namespace

std::string stand_alone_command(Engine engine, const std::string& data_dir) {
  std::error_code error;
  const std::string dir = fs::absolute(data_dir, error).lexically_normal().string();
  const std::string owner = owner_of(dir);
  const char* name = engine == Engine::postgres ? "postgres" : engine == Engine::mysql ? "mysqld" : "mariadbd";
  std::string version;  // of the data directory of PostgreSQL
  std::getline(std::ifstream(dir + "/PG_VERSION"), version);
  const auto found = find_program(engine, name, postgres_major(version));
  std::string command = quoted(found ? *found : name);
  if (engine == Engine::postgres) {
    command += fmt::format(
        " -D {0} -c listen_addresses= -c port=5432 -c unix_socket_directories={0} -c primary_conninfo= -c "
        "restore_command= -c "
        "archive_mode=off -c default_transaction_read_only=on",
        quoted(dir));
    if (!fs::exists(dir + "/postgresql.conf", error)) command += " -c config_file=/dev/null";
    return owner.empty() ? command : fmt::format("setpriv --reuid={0} --regid={0} --init-groups {1}", owner, command);
  }
  command += fmt::format(
      " --no-defaults --datadir={0} --socket={0}/copy.sock --pid-file={0}/copy.pid --skip-networking", quoted(dir));
  if (engine == Engine::mysql)
    command += " --mysqlx=OFF --skip-replica-start --super-read-only=ON --gtid-mode=ON --enforce-gtid-consistency=ON";
  else
    command += " --skip-slave-start --read-only=ON";
  command += logs_of(dir);
  if (!owner.empty()) command += " --user=" + owner;
  return command;
}

}  // namespace holdfast::engine
