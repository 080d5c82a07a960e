// holdfast repo key list, add, remove.
#include <fmt/format.h>

#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "repo/environment.h"

namespace holdfast::cli {

using codec::Value;

Exit run_repo_key_list(Context& context) {
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  repo::Repository& repository = *session.repository;
  Value::List values;
  Table table({"", "ID", "USER", "HOST", "CREATED"});
  for (const repo::ObjectRef& object : TRY(repository.list(repo::ObjectType::key))) {
    const bool current = object.id == repository.key_id();
    Value value = Value::object({{"id", object.id.short_hex()}, {"fullId", object.id.hex()}, {"current", current}});
    const auto file = repository.load_key_file(object.id);
    if (file) {
      value.set("userName", file->username);
      value.set("hostName", file->hostname);
      value.set("created", file->created.to_string());
      table.row({current ? "*" : "", object.id.short_hex(), file->username, file->hostname, local_time(file->created)});
    } else {
      value.set("error", file.error().message);
      table.row({"!", object.id.short_hex(), "-", "-", file.error().message});
    }
    values.push_back(std::move(value));
  }
  context.out.set_data(
      Value::object({{"repository", repository.store().location()}, {"keys", Value(std::move(values))}}));
  table.print(context.out);
  return {};
}

Exit run_repo_key_add(Context& context) {
  RepositorySession session =
      TRY(open_repository(context, context.options.flag("dry-run") ? LockNeed::shared : LockNeed::publish));
  repo::Repository& repository = *session.repository;
  const Secret password = TRY(resolve_password(new_password_source(context), "new password", true, context.stop));
  if (password.empty()) {
    return fail(ErrorClass::usage, "repo.key.empty_password", "an empty password protects nothing",
                "give the new password with --new-password-file");
  }
  const repo::Environment environment = repo::Environment::of_process();
  const std::string user = context.options.given("user") ? context.options.text("user") : environment.user;
  const std::string host = context.options.given("host") ? context.options.text("host") : environment.host;
  if (context.options.flag("dry-run")) {
    context.out.line(fmt::format("would add a key for {}@{}", user, host));
    return {};
  }
  TRY_VOID(session.confirm());
  const repo::Id id = TRY(repository.add_key(password, user, host));
  context.out.set_data(Value::object({{"id", id.hex()}}));
  context.out.line(fmt::format("added key {} for {}@{}", id.short_hex(), user, host));
  return {};
}

Exit run_repo_key_remove(Context& context) {
  const std::string& name = context.options.positionals()[0];
  RepositorySession session = TRY(open_repository(context, LockNeed::exclusive));
  repo::Repository& repository = *session.repository;
  std::optional<repo::Id> found;
  for (const repo::ObjectRef& object : TRY(repository.list(repo::ObjectType::key))) {
    if (name.empty() || !object.id.hex().starts_with(name)) continue;
    if (found) {
      return fail(ErrorClass::refused, "repo.key.ambiguous", fmt::format("more than one key starts with {}", name),
                  "holdfast repo key list shows them; give more digits");
    }
    found = object.id;
  }
  if (!found) {
    return fail(ErrorClass::refused, "repo.key.not_found", fmt::format("no key starts with {}", name),
                "holdfast repo key list");
  }
  if (*found == repository.key_id()) {
    return fail(ErrorClass::refused, "repo.key.in_use",
                fmt::format("key {} is the one that opened the repository", found->short_hex()),
                "add another key with holdfast repo key add, open the repository with it, then remove this one");
  }
  if (context.options.flag("dry-run")) {
    context.out.line(fmt::format("would remove key {}", found->short_hex()));
    return {};
  }
  TRY_VOID(repository.remove(repo::ObjectType::key, *found));
  context.out.set_data(Value::object({{"id", found->hex()}}));
  context.out.line(fmt::format("removed key {}", found->short_hex()));
  return {};
}

}  // namespace holdfast::cli
