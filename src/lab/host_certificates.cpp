#include "lab/host_certificates.h"

#include <fmt/format.h>

#include "sys/beneath.h"

namespace holdfast::lab {

namespace {

cluster::AgentTls files(const Layout& layout, const std::string& name) {
  const std::string folder = layout.lab_dir() + "/pki/";
  return {folder + "ca.pem", folder + name + ".pem", folder + name + ".key"};
}

}  // namespace

cluster::AgentTls operator_files(const Layout& layout) {
  return files(layout, "operator");
}

cluster::AgentTls agent_files(const Layout& layout, int host) {
  return files(layout, fmt::format("host{}", host));
}

Status make_host_certificates(const Layout& layout, const std::map<int, std::string>& /*addresses*/) {
  return sys::make_directories(layout.lab_dir() + "/pki", 0755);
}

Status remove_host_certificates(const Layout& layout) {
  return sys::remove_tree(layout.lab_dir() + "/pki");
}

}  // namespace holdfast::lab
