// What discover() found, as the file that people keep.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/discovery.h"
#include "cluster/resource.h"

namespace holdfast::cluster {

namespace {

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\r', ' ');
  return text;
}

std::string found_text(const FoundMember& found) {
  std::string text = found.place.text();
  if (!found.because.empty()) text += ", " + found.because;
  return text;
}

}  // namespace

std::string discovery_text(const Discovery& discovery) {
  const DatabaseCluster& cluster = discovery.cluster;
  std::string text =
      fmt::format("# What the servers of {} say of themselves. Next: holdfast triage -c {} --config FILE\n",
                  cluster.full_name(), cluster.full_name());
  for (size_t i = 0; i < discovery.members.size(); ++i)
    if (const FoundMember& found = discovery.members[i]; !found.answered)
      text += one_line(fmt::format("# {} did not answer: {}: {}", cluster.members[i].name.str(), found_text(found),
                                   found.problem)) +
              "\n";
  for (const auto& sentence : discovery.remarks) text += "# " + one_line(sentence) + "\n";
  text += print_cluster(cluster);
  if (discovery.left_out.empty()) return text;
  text +=
      "# Members that are asked over the network need a password, and then all have it in spec.credentials:\n"
      "# run this with --user USER --password-file FILE. They are:\n";
  size_t ordinal = cluster.members.size();
  for (const auto& found : discovery.left_out)
    text += one_line(fmt::format("#    - {{name: {}-{}, host: {}, port: {}}}  # {}", cluster.name.str(), ordinal++,
                                 found.place.host, found.place.port, found.because)) +
            "\n";
  return text;
}

}  // namespace holdfast::cluster
