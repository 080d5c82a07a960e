// holdfast pki init, issue, show.
#include "net/pki.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "cli/verbs.h"
#include "lab/lab.h"
#include "net/pem_file.h"

namespace holdfast::cli {

using codec::Value;
using net::CertificateInfo;

namespace {

constexpr int64_t kMostDays = 36'500;

std::string directory(const Context& context) {
  if (context.options.given("dir")) return context.options.text("dir");
  const std::string state = context.options.text("state-dir");
  return (state.empty() ? lab::default_state_dir() : state) + "/pki";
}

Result<int64_t> days(const Context& context) {
  const int64_t count = context.options.integer("days").value_or(0);
  if (count >= 1 && count <= kMostDays) return count;
  return fail(ErrorClass::usage, "pki.days", fmt::format("--days must be 1 to {}, not {}", kMostDays, count));
}

/// "agent", "authority", or "-" for a certificate that allows nothing here.
std::string kind_of(const CertificateInfo& info) {
  if (info.authority) return "authority";
  return info.role == net::Role::none ? "-" : std::string(net::role_name(info.role));
}

std::string state_of(const CertificateInfo& info, int64_t now) {
  if (now > info.not_after) return "expired";
  return now < info.not_before ? "not yet valid" : "valid";
}

std::string day_of(int64_t seconds) {
  return net::time_text(seconds).substr(0, 10);
}

Value certificate_value(const CertificateInfo& info, int64_t now) {
  Value::List names(info.names.begin(), info.names.end());
  return Value::object({{"name", info.name.empty() ? info.subject : info.name},
                        {"role", net::role_name(info.role)},
                        {"authority", info.authority},
                        {"names", Value(std::move(names))},
                        {"forServers", info.for_servers},
                        {"forClients", info.for_clients},
                        {"notBefore", net::time_text(info.not_before)},
                        {"notAfter", net::time_text(info.not_after)},
                        {"state", state_of(info, now)},
                        {"serial", info.serial},
                        {"subject", info.subject},
                        {"issuer", info.issuer},
                        {"fingerprint", info.fingerprint}});
}

void set_files(Context& context, const net::PkiFiles& files, const std::string& ca, int64_t now) {
  context.out.set_data(Value::object({{"certificate", files.certificate},
                                      {"key", files.key},
                                      {"ca", ca},
                                      {"details", certificate_value(files.info, now)}}));
}

}  // namespace

Exit run_pki_init(Context& context) {
  const std::string dir = directory(context);
  const int64_t now = std::time(nullptr);
  const net::Lifetime lifetime = net::lifetime_from_now(now, TRY(days(context)));
  const std::string name = context.options.text("name");
  if (context.options.flag("dry-run")) {
    context.out.line(fmt::format("would make the authority {} in {}", name, dir));
    return {};
  }
  const net::PkiFiles files = TRY(net::init_authority(dir, name, lifetime));
  set_files(context, files, files.certificate, now);
  context.out.line(fmt::format("made the authority {}, valid until {}", name, day_of(files.info.not_after)));
  context.out.line(fmt::format("  {}  for every host with an agent, and for every caller", files.certificate));
  context.out.line(fmt::format("  {}  stays here: with it certificates for everything can be made", files.key));
  context.out.note("next: holdfast pki issue agent NAME, for each host; holdfast pki issue operate NAME, for a person");
  return {};
}

Exit run_pki_issue(Context& context) {
  const auto& words = context.options.positionals();
  const auto role = net::role_of(words[0]);
  if (!role)
    return fail(ErrorClass::usage, "pki.kind",
                fmt::format("certificates are issued for agent, operate or observe, not '{}'", words[0]),
                "holdfast help pki issue");
  const net::PkiRequest request{*role, words[1], context.options.list("san")};
  TRY_VOID(net::check_request(request));
  const std::string dir = directory(context), ca = net::authority_certificate(dir);
  const std::string out = context.options.given("out") ? context.options.text("out") : dir;
  const int64_t now = std::time(nullptr), count = TRY(days(context));
  if (context.options.flag("dry-run")) {
    context.out.line(fmt::format("would make {0}/{1}.crt and {0}/{1}.key, signed by {2}", out, request.name, ca));
    return {};
  }
  const net::PkiFiles files = TRY(net::issue_into(dir, out, request, now, count));
  set_files(context, files, ca, now);
  context.out.line(fmt::format("made the certificate of {} ({}), valid until {}", request.name, net::role_name(*role),
                               day_of(files.info.not_after)));
  if (!files.info.names.empty()) context.out.line(fmt::format("  names: {}", fmt::join(files.info.names, ", ")));
  context.out.line("  " + files.certificate);
  context.out.line(fmt::format("  {}  private (mode 0600)", files.key));
  context.out.note(
      *role == net::Role::agent
          ? fmt::format("next: put both and {} on {}, readable by its agent", ca, request.name)
          : fmt::format(
                "next: put both and {} where {} calls from, and name them in spec.agents of the cluster's resource", ca,
                request.name));
  return {};
}

Exit run_pki_show(Context& context) {
  std::vector<std::string> files = context.options.positionals();
  if (files.empty()) {
    const std::string dir = directory(context);
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(dir, unreadable))
      if (entry.path().extension() == ".crt") files.push_back(entry.path().string());
    if (files.empty())
      return fail(ErrorClass::refused, "pki.no_certificates", "there are no certificates in " + dir,
                  "holdfast pki init --dir " + dir);
    std::sort(files.begin(), files.end());
  }
  const int64_t now = std::time(nullptr);
  Value::List list;
  Table table(context.out.is_wide() ? std::vector<std::string>{"FILE", "NAME", "ROLE", "NAMES", "UNTIL", "STATE",
                                                               "ISSUER", "SERIAL", "FINGERPRINT"}
                                    : std::vector<std::string>{"FILE", "NAME", "ROLE", "NAMES", "UNTIL", "STATE"});
  for (const std::string& file : files) {
    const std::string pem = TRY(net::read_pem_file(file));
    const CertificateInfo info = TRY(net::describe_certificate(pem).context(file));
    Value value = certificate_value(info, now);
    value.set("file", file);
    list.push_back(std::move(value));
    const std::string state = state_of(info, now);
    std::vector<std::string> row{file,
                                 info.name.empty() ? info.subject : info.name,
                                 kind_of(info),
                                 info.names.empty() ? "-" : fmt::format("{}", fmt::join(info.names, ", ")),
                                 day_of(info.not_after),
                                 context.out.paint(state == "valid" ? Color::green : Color::red, state)};
    if (context.out.is_wide()) row.insert(row.end(), {info.issuer, info.serial, info.fingerprint});
    table.row(std::move(row));
  }
  context.out.set_data(Value::object({{"certificates", Value(std::move(list))}}));
  table.print(context.out);
  return {};
}

}  // namespace holdfast::cli
