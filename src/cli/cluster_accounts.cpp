// holdfast cluster accounts: accounts with no more rights than their work takes, shown as statements or created.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "cli/cluster_options.h"
#include "cli/verbs.h"
#include "engine/make_account.h"
#include "provider/observe.h"
#include "provider/provider.h"
#include "sys/file.h"
#include "sys/secret_file.h"

namespace holdfast::cli {
namespace {

using cluster::DatabaseCluster;
using cluster::Engine;
using codec::Value;
using engine::AccountRole;
using engine::RoleAccount;

std::vector<AccountRole> roles_of(const Options& options, Engine engine) {
  std::vector<AccountRole> roles;
  if (const auto one = engine::parse_account_role(options.text("role"))) return {*one};
  for (const auto role : engine::account_roles())
    // The nodes of a component copy from one another without an account of the server.
    if (engine != Engine::galera || role != AccountRole::replicate) roles.push_back(role);
  return roles;
}

Result<std::vector<RoleAccount>> accounts_of(const Options& options, Engine engine, const std::string& version) {
  const std::string prefix = options.given("name-prefix") ? options.text("name-prefix") : "holdfast_";
  std::vector<RoleAccount> accounts;
  for (const auto role : roles_of(options, engine))
    accounts.push_back(
        TRY(engine::role_account(engine, version, role, prefix + std::string(engine::account_role_name(role)),
                                 options.given("from") ? options.text("from") : "%")));
  return accounts;
}

Value account_value(const RoleAccount& account) {
  Value statements{Value::List()};
  for (const auto& one : account.statements)
    statements.push(Value::object({{"sql", one.sql},
                                   {"for", one.what_for},
                                   {"takesPassword", one.takes_password},
                                   {"generates", one.generates},
                                   {"eachDatabase", one.each_database}}));
  return Value::object({{"role", engine::account_role_name(account.role)},
                        {"name", account.name},
                        {"host", account.host.empty() ? Value() : Value(account.host)},
                        {"statements", statements},
                        {"limits", Value::list_of(account.limits)}});
}

void print_script(Output& out, Engine engine, const std::vector<RoleAccount>& accounts) {
  out.line(fmt::format("-- Accounts of Holdfast for {}. Put a password of its own in each place of {}.",
                       cluster::engine_name(engine), engine::kPasswordPlace));
  out.line(engine == Engine::postgres ? "-- On the primary, with psql, in the database postgres."
                                      : "-- On the primary; replicas have them by replication.");
  for (const auto& account : accounts) {
    out.line();
    out.line(fmt::format("-- {}", engine::account_role_name(account.role)));
    for (const auto& limit : account.limits) out.line("--   " + limit);
    for (const auto& one : account.statements)
      out.line(fmt::format("-- {}{}\n{}{}", one.what_for, one.each_database ? " (in every database)" : "", one.sql,
                           one.generates ? " \\gexec" : ";"));
  }
}

/// The member on which accounts are created.
Result<const cluster::Member*> primary_of(const DatabaseCluster& cluster, const cluster::TriageReport& report) {
  std::vector<std::string> writers;
  for (const auto& m : report.members) {
    const auto& f = m.facts;
    if (f.reach != cluster::Reach::reachable) continue;
    const bool node = f.galera && f.galera->ready == true;
    const bool primary = f.role == cluster::MemberRole::primary && f.read_only != true;
    if (cluster.engine == Engine::galera ? node : primary) writers.push_back(f.member.str());
  }
  const std::string triage = "holdfast triage -c " + cluster.full_name();
  if (writers.empty())
    return fail(ErrorClass::refused, "accounts.no_primary",
                cluster.full_name() + " has no primary that answers: no account was created", triage);
  if (writers.size() > 1 && cluster.engine != Engine::galera)
    return fail(ErrorClass::refused, "accounts.two_primaries",
                fmt::format("{} has more than one primary: {}; no account was created", cluster.full_name(),
                            fmt::join(writers, ", ")),
                triage);
  return cluster.find(writers.front());
}

/// "" where it holds what it shall; else what is missing and what is beyond.
std::string difference(const std::set<std::string>& is, const std::set<std::string>& wanted) {
  std::vector<std::string> missing, beyond;
  std::ranges::set_difference(wanted, is, std::back_inserter(missing));
  std::ranges::set_difference(is, wanted, std::back_inserter(beyond));
  std::string text;
  if (!missing.empty()) text = fmt::format("it lacks {}", fmt::join(missing, ", "));
  if (!beyond.empty()) text += fmt::format("{}it also has {}", text.empty() ? "" : "; ", fmt::join(beyond, ", "));
  return text;
}

struct PasswordOf {
  Secret password;
  std::string file;
  bool made = false;
};

/// Of <dir>/<account>.password where that is there, else made and written there.
Result<PasswordOf> password_of(const std::string& dir, const RoleAccount& account) {
  PasswordOf found{.password = {}, .file = dir + "/" + account.name + ".password"};
  std::error_code ignored;
  if (std::filesystem::exists(found.file, ignored)) {
    found.password = TRY(sys::read_password_file(found.file));
    if (found.password.empty())
      return fail(ErrorClass::usage, "accounts.password", found.file + " is empty",
                  "write the password into it, or remove it: then one is made");
    return found;
  }
  found.password = engine::new_password();
  found.made = true;
  Secret line(found.password);
  line.append("\n");
  TRY_VOID(sys::publish_file(found.file, as_bytes(line.reveal()), 0600, sys::Publish::create_only));
  return found;
}

Status create(Context& context, const DatabaseCluster& cluster) {
  const std::string dir = context.options.text("password-dir");
  if (dir.empty())
    return fail(ErrorClass::usage, "cli.missing_flag", "--create needs a directory for the passwords",
                "--password-dir DIR: NAME.password of it is read, or made with mode 0600");
  const provider::ClusterMembers members(cluster);
  const auto report = provider::triage_members(members, std::chrono::seconds(5), context.stop);
  const auto* member = TRY(primary_of(members.cluster(), report));
  const auto target = TRY(members.find(member->name.str())->sql(Deadline::in(std::chrono::seconds(10)), context.stop));
  const auto accounts =
      TRY(accounts_of(context.options, cluster.engine, report.find(member->name.str())->facts.version));
  std::vector<bool> there;
  // All are looked at before the first is made.
  for (const auto& account : accounts) {
    const auto rights = TRY(engine::read_rights(cluster.engine, target, account, context.stop));
    const std::string differs = rights ? difference(*rights, account.rights) : "";
    if (!differs.empty())
      return fail(ErrorClass::refused, "accounts.other_rights",
                  fmt::format("the account {} exists on {} with other rights: {}; no account was created", account.name,
                              member->name.str(), differs),
                  "--name-prefix PREFIX for accounts of another name, or --role for the others");
    there.push_back(rights.has_value());
  }
  const bool dry_run = context.options.flag("dry-run");
  if (!dry_run) TRY_VOID(sys::make_directories(dir, 0700));
  Value made{Value::List()};
  for (size_t i = 0; i < accounts.size(); ++i) {
    const auto& account = accounts[i];
    if (dry_run) {
      Value one = account_value(account);
      one.set("created", false);
      made.push(std::move(one));
      context.out.line(there[i] ? fmt::format("{}: exists with these rights", account.name)
                                : fmt::format("{}: would be created on {}", account.name, member->name.str()));
      continue;
    }
    std::optional<PasswordOf> password;
    if (!there[i]) password = TRY(password_of(dir, account));
    TRY_VOID(engine::make_account(cluster.engine, target, account,
                                  password ? std::optional(password->password) : std::nullopt, context.stop)
                 .context("account " + account.name));
    Value one = account_value(account);
    one.set("created", !there[i]);
    one.set("passwordFile", password ? Value(password->file) : Value());
    made.push(std::move(one));
    context.out.line(there[i] ? fmt::format("{}: exists with these rights", account.name)
                              : fmt::format("{}: created, its password is in {}", account.name, password->file));
    for (const auto& limit : account.limits) context.out.line("  " + limit);
  }
  context.out.set_data(Value::object({{"cluster", cluster.name.str()},
                                      {"namespace", cluster.ns},
                                      {"engine", cluster::engine_name(cluster.engine)},
                                      {"member", member->name.str()},
                                      {"accounts", made}}));
  return {};
}

}  // namespace

Exit run_cluster_accounts(Context& context) {
  const Options& options = context.options;
  const bool shows = options.flag("show"), creates = options.flag("create");
  if (shows == creates)
    return fail(ErrorClass::usage, "cli.missing_flag", "cluster accounts: either --show or --create",
                "--show prints the statements and changes nothing");
  if (creates) return create(context, TRY(selected_cluster(context)));
  // What is shown is of an engine: no cluster is needed for it.
  const auto engine = cluster::parse_engine(options.text("engine"));
  Value data = Value::object();
  Engine shown = engine.value_or(Engine::mariadb);
  if (!engine || !options.text("cluster").empty()) {
    const auto cluster = TRY(selected_cluster(context));
    data = Value::object({{"cluster", cluster.name.str()}, {"namespace", cluster.ns}});
    shown = cluster.engine;
  }
  const auto accounts = TRY(accounts_of(options, shown, options.text("server-version")));
  Value list{Value::List()};
  for (const auto& account : accounts) list.push(account_value(account));
  data.set("engine", cluster::engine_name(shown));
  data.set("accounts", list);
  context.out.set_data(std::move(data));
  print_script(context.out, shown, accounts);
  return {};
}

}  // namespace holdfast::cli
