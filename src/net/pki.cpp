#include "net/pki.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "net/pem_file.h"
#include "sys/file.h"

namespace holdfast::net {
namespace {

std::unexpected<Error> exists(const std::string& path) {
  return fail(ErrorClass::refused, "pki.exists", path + " exists already, and is not overwritten",
              "name another directory, or move that file away if nothing uses it any more");
}

Status write_once(const std::string& path, std::string_view text, unsigned mode) {
  auto written = sys::publish_file(path, as_bytes(text), mode, sys::Publish::create_only);
  if (!written && written.error().id == "store.exists") return exists(path);
  return written;
}

/// Both or none of them.
Status write_pair(const std::string& certificate, const std::string& key, const Issued& issued) {
  for (const std::string& path : {certificate, key})
    if (::access(path.c_str(), F_OK) == 0) return exists(path);
  TRY_VOID(write_once(key, issued.key.reveal(), 0600));
  auto written = write_once(certificate, issued.certificate, 0644);
  if (!written) ::unlink(key.c_str());  // nobody has seen it
  return written;
}

/// What names a file, and means nothing to a shell or an option parser.
bool is_file_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_@:+").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= 240 && name[0] != '.' && name[0] != '-' && name != "ca" &&
         std::all_of(name.begin(), name.end(), fits);
}

}  // namespace

std::string authority_certificate(const std::string& directory) {
  return directory + "/ca.crt";
}

std::string authority_key(const std::string& directory) {
  return directory + "/ca.key";
}

Result<PkiFiles> init_authority(const std::string& directory, const std::string& name, const Lifetime& lifetime) {
  if (name.empty() || name.size() > 64 ||
      std::any_of(name.begin(), name.end(), [](char c) { return c >= 0 && c < 0x20; }))
    return fail(ErrorClass::usage, "pki.name", "an authority's name has 1 to 64 bytes, and no line ends",
                "--name TEXT");
  PkiFiles files{authority_certificate(directory), authority_key(directory), {}};
  const Issued issued = TRY(make_authority(name, lifetime));
  TRY_VOID(sys::make_directories(directory, 0700));
  TRY_VOID(write_pair(files.certificate, files.key, issued));
  files.info = TRY(describe_certificate(issued.certificate));
  return files;
}

Status check_request(const PkiRequest& request) {
  if (!is_file_name(request.name))
    return fail(ErrorClass::usage, "pki.name", fmt::format("'{}' cannot be the name of a certificate", request.name),
                "letters, digits and . - _ @ : + only, not 'ca', nor with '.' or '-' at its start");
  if (request.role == Role::agent && !is_dns_name(request.name) && !is_ip_address(request.name))
    return fail(ErrorClass::usage, "pki.name",
                fmt::format("'{}' is neither a host's name nor an address: callers compare it", request.name),
                "give the name or address by which the agent is called; further ones with --san");
  return {};
}

Result<PkiFiles> issue_into(const std::string& directory, const std::string& out, const PkiRequest& request,
                            int64_t now, int64_t days) {
  TRY_VOID(check_request(request));
  const std::string ca = authority_certificate(directory);
  if (::access(ca.c_str(), F_OK) != 0)
    return fail(ErrorClass::refused, "pki.no_authority", "there is no authority in " + directory + ": no ca.crt",
                "holdfast pki init --dir " + directory);
  Issued authority;
  authority.certificate = TRY(read_pem_file(ca));
  authority.key = TRY(read_key_file(authority_key(directory)));
  const CertificateInfo info = TRY(describe_certificate(authority.certificate).context(ca));
  if (info.not_after <= now)
    return fail(ErrorClass::refused, "pki.authority_expired",
                fmt::format("the authority's certificate {} expired {}", ca, time_text(info.not_after)),
                "make another one in a directory of its own: holdfast pki init --dir DIR");

  const bool agent = request.role == Role::agent;
  CertificateRequest wanted{request.name, {}, request.role, agent, true, lifetime_from_now(now, days)};
  if (agent) wanted.names.push_back(request.name);
  for (const std::string& name : request.names)
    if (std::find(wanted.names.begin(), wanted.names.end(), name) == wanted.names.end()) wanted.names.push_back(name);
  const Issued issued = TRY(issue_certificate(authority, wanted));
  PkiFiles files{out + "/" + request.name + ".crt", out + "/" + request.name + ".key", {}};
  TRY_VOID(sys::make_directories(out, 0700));
  TRY_VOID(write_pair(files.certificate, files.key, issued));
  files.info = TRY(describe_certificate(issued.certificate));
  return files;
}

}  // namespace holdfast::net
