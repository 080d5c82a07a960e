#include "lab/host_certificates.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "net/pki.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::lab {

namespace {

constexpr int64_t kDays = 3650;

std::string folder_of(const Layout& layout) {
  return layout.lab_dir() + "/pki";
}

cluster::AgentTls files_of(const Layout& layout, const std::string& name) {
  const std::string folder = folder_of(layout);
  return {net::authority_certificate(folder), folder + "/" + name + ".crt", folder + "/" + name + ".key"};
}

/// Whether both files are there, the certificate is not over, and names the address ("" = any).
bool is_good(const cluster::AgentTls& files, const std::string& address, int64_t now) {
  const auto text = sys::read_file(files.certificate);
  if (!text || ::access(files.key.c_str(), F_OK) != 0) return false;
  const auto info = net::describe_certificate(as_text(text->span()));
  return info && info->not_after > now && (address.empty() || std::ranges::count(info->names, address) > 0);
}

/// Of a pair that is not good, or was only half written, nothing stays.
Status issue(const Layout& layout, const net::PkiRequest& request, const std::string& address) {
  const int64_t now = std::time(nullptr);
  const auto files = files_of(layout, request.name);
  if (is_good(files, address, now)) return {};
  ::unlink(files.certificate.c_str());
  ::unlink(files.key.c_str());
  TRY(net::issue_into(folder_of(layout), folder_of(layout), request, now, kDays));
  return {};
}

}  // namespace

cluster::AgentTls operator_files(const Layout& layout) {
  return files_of(layout, "operator");
}

cluster::AgentTls agent_files(const Layout& layout, int host) {
  return files_of(layout, fmt::format("host{}", host));
}

Status make_host_certificates(const Layout& layout, const std::map<int, std::string>& addresses) {
  const std::string folder = folder_of(layout);
  const int64_t now = std::time(nullptr);
  if (!is_good({"", net::authority_certificate(folder), net::authority_key(folder)}, "", now)) {
    TRY_VOID(sys::remove_tree(folder));
    TRY(net::init_authority(folder, "holdfast lab", net::lifetime_from_now(now, kDays)));
  }
  for (const auto& [host, address] : addresses)
    TRY_VOID(issue(layout, {net::Role::agent, fmt::format("host{}", host), {address}}, address));
  return issue(layout, {net::Role::operate, "operator", {}}, "");
}

Status remove_host_certificates(const Layout& layout) {
  return sys::remove_tree(folder_of(layout));
}

}  // namespace holdfast::lab
