// Looking at members: one connection each, bounded, reading only. What could not be read stays empty, and why stands in
// the readings.
#pragma once

#include <chrono>
#include <map>
#include <stop_token>
#include <vector>

#include "base/deadline.h"
#include "cluster/facts.h"
#include "sql/kept_postgres.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// Observes one member of any engine. Never fails: trouble is in the facts. Blocks until `deadline` at most. `kept`:
/// sessions for further looks are taken from there and left there.
cluster::MemberFacts observe(cluster::Engine engine, const cluster::Member& member, const sql::Target& target,
                             Deadline deadline, std::stop_token stop = {}, sql::KeptPostgres* kept = nullptr);

/// Only what tells how far the member is, into facts that observe() filled: the writer's position is read again after
/// all others', so that a replica never seems ahead of it only because it was read later.
void observe_position(cluster::Engine engine, cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline,
                      std::stop_token stop = {}, sql::KeptPostgres* kept = nullptr);

/// How large the data of a PostgreSQL member is, where no comparison of files has told it; observe() does for others.
void observe_size(cluster::Engine engine, cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline,
                  std::stop_token stop = {}, sql::KeptPostgres* kept = nullptr);

/// Puts a connection's failure into the facts (reach and error).
void note_failure(cluster::MemberFacts& facts, const Error& error);

/// Milliseconds of the clock ages are measured with.
int64_t reading_clock();
/// Notes what was read; age_ms holds the clock's time until the report makes an age of it.
void note(cluster::MemberFacts& facts, std::string name, std::string value, std::string source);
void note_unknown(cluster::MemberFacts& facts, std::string name, std::string source, std::string why);

/// A question that the server refused, and with which words.
struct Refused {
  std::string name, message;
};
/// Whether it was refused for want of a right; not because nothing of the kind is there, or the server cannot answer.
bool lacks_right(const Error& error);

/// Asks one connection after another question; a question that fails is noted under `name` and answers nothing.
template <class Connection>
class Asker {
 public:
  Asker(cluster::MemberFacts& facts, Connection& connection, Deadline deadline, std::stop_token stop)
      : facts_(facts), connection_(connection), deadline_(deadline), stop_(std::move(stop)) {}

  std::optional<sql::Rows> operator()(const std::string& name, const std::string& statement) {
    return ask(name, statement, true);
  }
  /// The same for what an account of few rights may be refused: unknown then, and no trouble of the member.
  std::optional<sql::Rows> if_allowed(const std::string& name, const std::string& statement) {
    return ask(name, statement, false);
  }

  /// The same without a note, for what is one of several ways to know something.
  std::optional<sql::Rows> quietly(const std::string& name, const std::string& statement) {
    auto rows = connection_.query(statement, deadline_, stop_);
    if (rows) return std::move(*rows);
    remember(name, rows.error());
    if (rows.error().id != "sql.error") note_failure(facts_, rows.error());  // no answer is no refusal
    return std::nullopt;
  }
  /// All that was refused for want of a right.
  const std::vector<Refused>& refused() const { return refused_; }

 private:
  std::optional<sql::Rows> ask(const std::string& name, const std::string& statement, bool must) {
    auto rows = connection_.query(statement, deadline_, stop_);
    if (rows) return std::move(*rows);
    note_unknown(facts_, name, "SQL", rows.error().message);
    remember(name, rows.error());
    if (must || rows.error().id != "sql.error") note_failure(facts_, rows.error());
    return std::nullopt;
  }

  void remember(const std::string& name, const Error& error) {
    if (lacks_right(error)) refused_.push_back({name, error.message});
  }

  cluster::MemberFacts& facts_;
  std::vector<Refused> refused_;
  Connection& connection_;
  const Deadline deadline_;
  const std::stop_token stop_;
};

/// Name -> value of a SHOW VARIABLES or SHOW STATUS; names in lower case.
class Settings {
 public:
  void add(const sql::Rows& rows);
  std::optional<std::string> find(const std::string& name) const;
  std::string text(const std::string& name) const { return find(name).value_or(""); }
  /// ON/1/YES and OFF/0/NO; nullopt for what is not there or says something else.
  std::optional<bool> flag(const std::string& name) const;
  std::optional<int64_t> number(const std::string& name) const;

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace holdfast::engine
