// What a server's own log says, understood. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace holdfast::cluster {

/// Of a severity that ends something.
bool is_grave(std::string_view line);
/// A server begins here: what its log says above is of an earlier run, and may have been mended since.
bool begins_run(const std::string& line);

/// Of a server that did not start or ended: its data is damaged.
bool tells_of_damage(const std::string& line);
/// Of one that did not start: it refuses an option or cannot use a file of its configuration. Its data is not in
/// question, whatever word for broken the line has.
bool refuses_configuration(const std::string& line);
/// Of one that goes on: it has met a page, an index or a table that is damaged. Narrower than tells_of_damage(): what
/// is said of logs of replication and by clients is left out as far as it can be told.
bool met_damage(const std::string& line);

/// PostgreSQL, of a standby that ended in its last run because it could not hold what its primary may have at once: the
/// settings and the values they must have.
std::map<std::string, int64_t> settings_too_small(const std::string& log);

/// PostgreSQL: why the receiver of a standby does not stream, which it tells nobody but the server's log; "" when the
/// log does not say, or says of something that came after it.
std::string receiver_trouble(const std::string& log);

/// Of the server's last run, the last line of its log that `wanted` says yes to; "" when there is none.
std::string line_of_last_run(const std::string& log, bool (*wanted)(const std::string&));

}  // namespace holdfast::cluster
