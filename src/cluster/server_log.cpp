#include "cluster/server_log.h"

#include <algorithm>
#include <cstdlib>

namespace holdfast::cluster {

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Its index of logs names one that is not there.
bool log_file_is_gone(const std::string& line) {
  return contains(line, ": File '") &&
         (contains(line, "not found (OS errno 2 ") || contains(line, "not found (Errcode: 2 "));
}

}  // namespace

bool is_grave(std::string_view line) {
  for (auto word : {"[ERROR]", "FATAL:", "PANIC:"})
    if (line.find(word) != std::string_view::npos) return true;
  return false;
}

bool tells_of_damage(const std::string& line) {
  if (refuses_configuration(line)) return false;
  if (log_file_is_gone(line)) return true;
  constexpr std::string_view kMarks[] = {
      "Database page corruption",
      "is corrupted",
      "page corrupted",
      "invalid page in block",
      "could not read block",
      "invalid checkpoint record",
      "could not locate a valid checkpoint record",
      "Missing FILE_CHECKPOINT",
      "ib_logfile0 was not found",
      "Neither found #innodb_redo subdirectory",
      "is of a different size",
      "Could not find any file associated with the tablespace ID",
      "innodb_system data file 'ibdata1' was not found",
      "Cannot find a valid",
      "Could not find a valid tablespace",
      "Corruption in the",
      "corrupted page",
      "checksum mismatch",
      "Invalid log header checksum",
      "page verification failed",
      "could not locate required checkpoint",
      "Encrypted tablespace in",  // what MariaDB takes garbage in the system tablespace for
      "incorrect checksum in control file",
      "could not read file \"global/pg_control\"",
      "could not find the database system",
      "database files are incompatible with server",
  };
  for (auto text : kMarks)
    if (contains(line, text)) return true;
  // PostgreSQL: a file or a folder of its own is not there. Not its WAL: it asks for segments that never were.
  if (is_grave(line) && contains(line, "No such file or directory"))
    for (auto text : {"could not open file \"base/", "could not open file \"global/", "could not open file \"pg_xact/",
                      "could not open file \"pg_multixact/", "could not open directory \"pg_"})
      if (contains(line, text)) return true;
  // "Data structure corruption", "data files are corrupt": each server has many ways to say it.
  return is_grave(line) && (contains(line, "corrupt") || contains(line, "Corrupt"));
}

bool begins_run(const std::string& line) {
  for (auto text : {"Starting MariaDB", "starting as process", "starting PostgreSQL"})
    if (contains(line, text)) return true;
  return false;
}

std::string receiver_trouble(const std::string& log) {
  // What the server tells those who connect to itself stands there as well.
  constexpr std::string_view kOwnWords[] = {
      "could not connect to the primary",
      "could not receive ",
      "could not send ",
      "could not start WAL streaming",
      "database system identifier differs",
      "highest timeline ",
      "cannot continue WAL streaming",
      "terminating walreceiver",
      "invalid response from primary",
      "unexpected result",
      "error reading result",
      "error while shutting down streaming",
  };
  std::string trouble;
  for (size_t at = 0; at < log.size();) {
    const size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    if (begins_run(line) || contains(line, "started streaming WAL")) trouble.clear();
    if (const size_t said = line.find("FATAL:"); said != std::string::npos) {
      const std::string text = line.substr(std::min(line.find_first_not_of(' ', said + 6), line.size()));
      if (std::ranges::any_of(kOwnWords, [&](auto words) { return text.starts_with(words); })) trouble = text;
    }
    at = end + 1;
  }
  return trouble;
}

std::string line_of_last_run(const std::string& log, bool (*wanted)(const std::string&)) {
  std::string found;
  for (size_t at = 0; at < log.size();) {
    const size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    if (begins_run(line)) found.clear();
    if (wanted(line)) found = line;
    at = end + 1;
  }
  return found;
}

bool refuses_configuration(const std::string& line) {
  // What a client is refused (PostgreSQL), and what is only remarked.
  if (contains(line, " ERROR: ") || contains(line, "[Warning]")) return false;
  for (auto text : {
           // MariaDB, MySQL
           "unknown variable '", "unknown option '", "ambiguous option '", "Found option without preceding group",
           "Could not open required defaults file", "Fatal error in defaults handling", "Error while setting value",
           "Wrong group definition in config file", "mysqld-auto.cnf", "Persisted config file is corrupt",
           "Persistent configuration file is corrupt", "Setting persistent options failed", "Can't find messagefile",
           "Can't open shared library", "Unknown suffix '",
           // PostgreSQL
           "syntax error in file \"", "unrecognized configuration parameter", "invalid value for parameter \"",
           "contains errors", "could not load pg_hba.conf", "could not open configuration file",
           "could not access the server configuration file", "requires a numeric value", "requires a Boolean value",
           "is outside the valid range for parameter", "could not access file \"",
           "Hot standby mode is disabled",  // it replays, and lets nobody in: no start of ours ends
       })
    if (contains(line, text)) return true;
  // "option '--x' requires an argument", "option '--x' cannot take an argument"
  return contains(line, "option '--") && (contains(line, "requires an argument") || contains(line, "take an argument"));
}

bool met_damage(const std::string& line) {
  for (auto text :
       {"Slave", "slave", "Replica", "replica", "relay", "binlog", "event corruption", "STATEMENT:", "packet"})
    if (contains(line, text)) return false;
  if (contains(line, "[ERROR]") || contains(line, "[FATAL]")) {
    for (auto text : {"Database page corruption", "is corrupted", "page corrupted", "corrupted page", "is corrupt",
                      "Corruption in the", "index corruption", "data structure corruption", "marked as corrupted",
                      "marked as crashed", "Index corruption", "Data structure corruption"})
      if (contains(line, text)) return true;
  }
  const bool said = contains(line, "ERROR:") || contains(line, "WARNING:") || is_grave(line);
  if (!said) return false;
  for (auto text :
       {"invalid page in block", "could not read block", "page verification failed", "contains unexpected zero page",
        "contains corrupted page", "failed to re-find parent key in", "missing chunk number",
        "from before relfrozenxid", "could not access status of transaction", "posting list tuple with"})
    if (contains(line, text)) return true;
  return false;
}

std::map<std::string, int64_t> settings_too_small(const std::string& log) {
  std::map<std::string, int64_t> wanted;
  bool ended = false;
  for (size_t at = 0; at < log.size();) {
    const size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    at = end + 1;
    if (begins_run(line)) wanted.clear(), ended = false;
    ended = ended || contains(line, "recovery aborted because of insufficient parameter settings");
    // "max_connections = 50 is a lower setting than on the primary server, where its value was 150."
    const std::string_view middle = " is a lower setting than on the primary server, where its value was ";
    const size_t split = line.find(middle);
    if (split == std::string::npos) continue;
    const size_t sign = line.rfind(" = ", split), name = line.find_last_of(" \t", sign - 1);
    if (sign == std::string::npos || name == std::string::npos) continue;
    wanted[line.substr(name + 1, sign - name - 1)] = std::strtoll(line.c_str() + split + middle.size(), nullptr, 10);
  }
  return ended ? wanted : std::map<std::string, int64_t>();
}

}  // namespace holdfast::cluster
