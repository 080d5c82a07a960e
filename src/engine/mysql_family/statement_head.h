// What a statement of a dump is, from its first bytes. Pure.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::engine {

struct StatementHead {
  enum class Kind {
    other,
    use,
    database,
    table,
    view,  ///< its final definition; the stand-in of the same name that a dump creates first is `other`
    sequence,
    routine,
    trigger,
    event,
    set,
  };
  Kind kind = Kind::other;
  std::string name;  ///< of a table or database, quotes undone
};

/// `head`: the statement from its first byte, whole or cut behind the name. Conditional comments (/*!50003 ... */) are
/// read as what they hold.
StatementHead statement_head(std::string_view head);

/// What a statement makes, fills or changes, so that people can name it.
struct StatementObject {
  std::string type;      ///< "TABLE", "TABLE DATA", "VIEW", "TRIGGER", "DATABASE", "ACCOUNT" ...; "" where it has none
  std::string database;  ///< when the statement says it
  std::string name;
  std::string table;     ///< of a trigger
  bool creates = false;  ///< nothing of the object is there when the statement fails
};
/// As statement_head(). Of statements about no object (SET, FLUSH) the type is "".
StatementObject statement_object(std::string_view head);

/// Where the name of an INSERT's or REPLACE's table begins in `head` (at its quote); npos for any other statement, and
/// while `head` is too short to say.
size_t insert_target(std::string_view head);

}  // namespace holdfast::engine
