// The environment of this process: what its caller meant for clients of databases is not for us, nor for what we start.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::sys {

/// Takes what the clients of databases, the dynamic loader and locales obey (PG*, MYSQL*, MARIADB*, LIBMYSQL*, KRB5*,
/// LD_*, LC_*, LANG*) out of this process's environment, and so out of that of its children; variable() still knows it.
/// Before any thread starts, once.
void take_client_variables();

/// Passwords are in this process's memory: no core dump of it, and its memory and environment are for root alone (not
/// under sanitizers, which read it themselves).
void keep_memory_private();

/// Value of a variable of the caller's, also of one that was taken; nullopt where it is not set.
std::optional<std::string> variable(const std::string& name);

/// All variables of the caller's, as they were.
std::map<std::string, std::string, std::less<>> callers_environment();
/// What was taken, for programs that the caller named.
std::vector<std::pair<std::string, std::string>> taken_variables();
/// What another process of this program needs: where things are, no secrets. With Command::clear_env.
std::vector<std::pair<std::string, std::string>> own_environment();

}  // namespace holdfast::sys
