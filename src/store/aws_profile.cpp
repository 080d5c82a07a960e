#include "store/aws_profile.h"

#include <cstring>
#include <map>
#include <string_view>

#include "sys/file.h"

namespace holdfast::store {
namespace {

using Section = std::map<std::string, Secret, std::less<>>;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// The section [wanted] of an INI file; nullopt when the file or the section is missing.
Result<std::optional<Section>> read_section(const std::string& path, std::string_view wanted) {
  auto file = sys::read_file(path);
  if (!file) {
    if (file.error().id == "store.not_found") return std::optional<Section>{};
    return fail(std::move(file).error());
  }
  std::optional<Section> section;
  bool inside = false;
  for (std::string_view rest = as_text(*file); !rest.empty();) {
    const size_t end = rest.find('\n');
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = trimmed(line.substr(1, line.find(']') - 1)) == wanted;
      if (inside && !section) section.emplace();
    } else if (const size_t equals = line.find('='); inside && equals != std::string_view::npos) {
      (*section)[std::string(trimmed(line.substr(0, equals)))] = Secret(trimmed(line.substr(equals + 1)));
    }
  }
  if (!file->empty()) ::explicit_bzero(file->data(), file->size());
  return section;
}

std::string_view value_of(const std::optional<Section>& section, std::string_view name) {
  if (!section) return "";
  const auto found = section->find(name);
  return found == section->end() ? "" : found->second.reveal();
}

}  // namespace

Result<AwsProfile> find_aws_profile(const EnvLookup& env) {
  AwsProfile profile;
  const auto get = [&](const char* name) { return env(name).value_or(""); };
  profile.region = get("AWS_REGION");
  if (profile.region.empty()) profile.region = get("AWS_DEFAULT_REGION");
  net::AwsCredentials& found = profile.credentials;
  found.access_key = get("AWS_ACCESS_KEY_ID");
  found.secret_key = Secret(get("AWS_SECRET_ACCESS_KEY"));
  found.session_token = get("AWS_SESSION_TOKEN");
  if (found.access_key.empty() != found.secret_key.empty()) {
    return fail(ErrorClass::usage, "store.credentials",
                "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set", "set both or none");
  }
  if (!found.access_key.empty() && !profile.region.empty()) return profile;

  const std::string asked = get("AWS_PROFILE"), name = asked.empty() ? "default" : asked, home = get("HOME");
  std::string credentials_path = get("AWS_SHARED_CREDENTIALS_FILE"), config_path = get("AWS_CONFIG_FILE");
  if (credentials_path.empty() && !home.empty()) credentials_path = home + "/.aws/credentials";
  if (config_path.empty() && !home.empty()) config_path = home + "/.aws/config";
  std::optional<Section> credentials, config;
  if (!credentials_path.empty()) credentials = TRY(read_section(credentials_path, name));
  if (!config_path.empty()) config = TRY(read_section(config_path, name == "default" ? name : "profile " + name));
  if (!asked.empty() && !credentials && !config && found.access_key.empty()) {
    return fail(ErrorClass::usage, "store.credentials",
                "AWS_PROFILE names " + asked + ", which is not in " + credentials_path,
                "check the name, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  for (const auto* section : {&credentials, &config}) {
    if (!found.access_key.empty()) break;
    found.access_key = value_of(*section, "aws_access_key_id");
    found.secret_key = Secret(value_of(*section, "aws_secret_access_key"));
    found.session_token = value_of(*section, "aws_session_token");
  }
  if (profile.region.empty()) profile.region = value_of(config, "region");
  if (profile.region.empty()) profile.region = value_of(credentials, "region");
  return profile;
}

}  // namespace holdfast::store
