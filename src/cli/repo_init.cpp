// holdfast repo init.
#include <fmt/format.h>

#include "cli/repository_session.h"
#include "cli/verbs.h"

namespace holdfast::cli {

Exit run_repo_init(Context& context) {
  const RepositoryAccess access = TRY(repository_access(context));
  repo::InitOptions options;
  if (context.options.flag("copy-chunker-params")) {
    const RepositoryAccess source = TRY(source_repository_access(context));
    options.polynomial = TRY(open_repository(context, source, LockNeed::none)).repository->config().polynomial;
  }
  if (auto version = context.options.integer("repository-version")) options.version = static_cast<unsigned>(*version);
  auto store = TRY(open_store(context, access));
  if (context.options.flag("dry-run")) {
    context.out.line(fmt::format("would create a repository at {}", store->location()));
    return {};
  }
  const Secret password = TRY(
      resolve_password(access.password, "password for the new repository " + store->location(), true, context.stop));
  auto repository = TRY(repo::Repository::init(store, password, options));
  context.out.set_data(codec::Value::object({{"id", repository->config().id.hex()},
                                             {"repository", store->location()},
                                             {"version", repository->config().version}}));
  context.out.line(
      fmt::format("created repository {} at {}", repository->config().id.hex().substr(0, 10), store->location()));
  context.out.note("Keep the password: without it no one, and no tool, can read what is in there.");
  return {};
}

}  // namespace holdfast::cli
