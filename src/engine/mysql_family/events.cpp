#include "engine/mysql_family/events.h"

#include <fmt/format.h>

#include <map>

namespace holdfast::engine {
namespace {

using sql::quote_mysql;
using sql::quote_mysql_name;

constexpr std::string_view kStatuses[] = {" DISABLE ON SLAVE", " DISABLE ON REPLICA", " DISABLE", " ENABLE"};

// Where the quoted text that starts at `at` ends: behind its closing quote.
size_t behind_quote(std::string_view text, size_t at) {
  const char quote = text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '\'') {  // a name stands in double quotes under ANSI_QUOTES
      ++i;
    } else if (text[i] == quote) {
      if (i + 1 == text.size() || text[i + 1] != quote) return i + 1;
      ++i;
    }
  }
  return text.size();
}

/// Where the status stands in the definition; an empty place where it has none.
std::pair<size_t, size_t> status_clause(std::string_view definition) {
  for (size_t i = 0; i < definition.size();) {
    if (definition[i] == '`' || definition[i] == '\'' || definition[i] == '"') {
      i = behind_quote(definition, i);
      continue;
    }
    for (const std::string_view preserve : {" ON COMPLETION NOT PRESERVE", " ON COMPLETION PRESERVE"}) {
      if (!definition.substr(i).starts_with(preserve)) continue;
      const size_t at = i + preserve.size();
      for (const std::string_view status : kStatuses) {
        if (definition.substr(at).starts_with(status)) return {at, at + status.size()};
      }
      return {at, at};
    }
    ++i;
  }
  return {0, 0};
}

bool is_replicas(std::string_view status) {
  return status == "SLAVESIDE_DISABLED" || status == "REPLICA_SIDE_DISABLED";
}

std::string clause_of(std::string_view status) {
  if (status == "ENABLED") return "ENABLE";
  return is_replicas(status) ? "DISABLE ON SLAVE" : "DISABLE";
}

constexpr std::string_view kAllStatuses =
    "SELECT EVENT_SCHEMA AS s, EVENT_NAME AS n, STATUS AS st FROM information_schema.EVENTS";

}  // namespace

std::string with_event_status(std::string_view definition, std::string_view status) {
  const auto [at, end] = status_clause(definition);
  if (at == end) return std::string(definition);
  return fmt::format("{} {}{}", definition.substr(0, at), status, definition.substr(end));
}

std::string with_plain_comment(std::string_view definition) {
  constexpr std::string_view kComment = " COMMENT '";
  const auto [at, end] = status_clause(definition);
  if (at == end || !definition.substr(end).starts_with(kComment)) return std::string(definition);
  const size_t from = end + kComment.size(), behind = behind_quote(definition, from - 1);
  std::string comment;
  for (size_t i = from; i + 1 < behind; ++i) {
    char c = definition[i];
    if (c == '\\' && i + 2 < behind) {
      constexpr std::string_view kLetters = "nr0Z", kMeant("\n\r\0\x1a", 4);
      c = definition[++i];
      if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) c = kMeant[letter];
      if (c == '\'') comment += c;
    }
    comment += c;
  }
  return fmt::format("{}{}{}", definition.substr(0, from), comment, definition.substr(behind - 1));
}

std::string free_delimiter(std::string_view text) {
  std::string delimiter = ";;";
  while (text.find(delimiter) != std::string_view::npos) delimiter += ';';
  return delimiter;
}

std::string event_statements(const std::vector<ServerEvent>& events) {
  if (events.empty()) return "";
  std::string text =
      "\n--\n-- Events\n--\n\nSET @holdfast_client=@@character_set_client, @holdfast_results=@@character_set_results, "
      "@holdfast_collation=@@collation_connection, @holdfast_mode=@@sql_mode, @holdfast_zone=@@time_zone;\n";
  for (const auto& event : events) {
    const std::string delimiter = free_delimiter(event.definition);
    const bool other_collation =
        !event.schema_collation.empty() && event.schema_collation != event.schema_collation_now;
    const auto collate = [&](const std::string& to) {
      return fmt::format("ALTER DATABASE {} COLLATE {};\n", quote_mysql_name(event.schema), to);
    };
    text += fmt::format("USE {};\nDROP EVENT IF EXISTS {};\n", quote_mysql_name(event.schema),
                        quote_mysql_name(event.name));
    if (other_collation) text += collate(event.schema_collation);
    text += fmt::format(
        "SET character_set_client={}, character_set_results={}, collation_connection={}, sql_mode={}, time_zone={}, "
        "timestamp={};\n",
        event.charset, event.charset, event.collation, quote_mysql(event.sql_mode), quote_mysql(event.time_zone),
        event.created);
    // The version comment is how dump programs write it, and how readers know an event.
    text += fmt::format("DELIMITER {0}\n/*!50106 CREATE*/ {1} {0}\nDELIMITER ;\n", delimiter,
                        std::string_view(event.definition).substr(sizeof("CREATE ") - 1));
    text +=
        "SET character_set_client=@holdfast_client, character_set_results=@holdfast_results, "
        "collation_connection=@holdfast_collation, sql_mode=@holdfast_mode, time_zone=@holdfast_zone, "
        "timestamp=DEFAULT;\n";
    if (other_collation) text += collate(event.schema_collation_now);
  }
  return text;
}

Result<std::vector<ServerEvent>> read_events(const Sources& sources, std::vector<DumpNote>& notes) {
  std::vector<ServerEvent> events;
  // As bytes: to MariaDB's catalogue names that differ in case are one.
  auto rows = TRY(sources.ask_source(
      R"sql(
      SELECT e.EVENT_SCHEMA AS s, e.EVENT_NAME AS n, e.STATUS AS st, e.SQL_MODE AS m, e.TIME_ZONE AS z,
        e.CHARACTER_SET_CLIENT AS cs, e.COLLATION_CONNECTION AS co, e.DATABASE_COLLATION AS dc, s.DEFAULT_COLLATION_NAME
        AS sc, FLOOR(UNIX_TIMESTAMP(e.CREATED)) AS c
      FROM information_schema.EVENTS e
      JOIN information_schema.SCHEMATA s ON CAST(s.SCHEMA_NAME AS BINARY) = CAST(e.EVENT_SCHEMA AS BINARY)
      WHERE e.EVENT_SCHEMA NOT IN ('performance_schema','information_schema')
      ORDER BY 1, 2)sql"));
  if (rows.empty()) return events;
  // A member where an event was not replicated to says what it is.
  std::map<std::pair<std::string, std::string>, std::string> elsewhere;
  const auto ask = [&](sql::MariadbConnection& member) -> Status {
    auto theirs = TRY(member.query(kAllStatuses, Sources::soon(), sources.stop));
    for (size_t i = 0; i < theirs.rows.size(); ++i) {
      auto& status = elsewhere[{theirs.text("s", i), theirs.text("n", i)}];
      if (status.empty() || is_replicas(status)) status = theirs.text("st", i);
    }
    return {};
  };
  if (sources.primary) TRY_VOID(ask(*sources.primary));
  for (auto& node : sources.nodes) TRY_VOID(ask(node));
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    ServerEvent event{.schema = rows.text("s", i),
                      .name = rows.text("n", i),
                      .definition = {},
                      .sql_mode = rows.text("m", i),
                      .time_zone = rows.text("z", i),
                      .charset = rows.text("cs", i),
                      .collation = rows.text("co", i),
                      .schema_collation = rows.text("dc", i),
                      .schema_collation_now = rows.text("sc", i),
                      .created = rows.text("c", i)};
    if (event.created.empty() || event.created[0] == '-' || event.created == "0") event.created = "1";
    // The body in the bytes it was written in: it goes back in a session of that character set.
    TRY(sources.ask_source("SET character_set_results = NULL"));
    auto definition = sources.ask_source(
        fmt::format("SHOW CREATE EVENT {}.{}", quote_mysql_name(event.schema), quote_mysql_name(event.name)));
    TRY(sources.ask_source("SET character_set_results = utf8mb4"));
    if (!definition) return fail(std::move(definition).error());
    event.definition = definition->text("Create Event");
    if (!event.definition.starts_with("CREATE ")) {
      notes.push_back({"event.unreadable", event.schema + "." + event.name,
                       fmt::format("the definition of event {}.{} cannot be read, the dump does not have it",
                                   event.schema, event.name)});
      continue;
    }
    std::string status = rows.text("st", i);
    const auto known = elsewhere.find({event.schema, event.name});
    const bool sure = known != elsewhere.end() && (sources.primary || sources.all_nodes || !is_replicas(known->second));
    if (is_replicas(status) && sure) {
      status = known->second;
    } else if (is_replicas(status) && (sources.is_replica || !sources.nodes.empty() || !sources.all_nodes)) {
      status = "DISABLED";
      notes.push_back(
          {"event.status", event.schema + "." + event.name,
           fmt::format("event {0}.{1} is dumped as disabled: its status is known only where it was "
                       "created, "
                       "which {2}; if it was enabled there: ALTER EVENT {3}.{4} ENABLE",
                       event.schema, event.name, sources.primary ? "does not have it any more" : "did not answer",
                       quote_mysql_name(event.schema), quote_mysql_name(event.name))});
    }
    // Where it is disabled for replicas on the primary too, the definition says so already, in the server's own words.
    if (!is_replicas(status) || !is_replicas(rows.text("st", i)))
      event.definition = with_event_status(event.definition, clause_of(status));
    if (event.sql_mode.find("NO_BACKSLASH_ESCAPES") != std::string::npos)
      event.definition = with_plain_comment(event.definition);
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace holdfast::engine
