#include "cli/repository_options.h"

#include <fmt/format.h>

#include <cmath>

#include "sys/file.h"

namespace holdfast::cli {
namespace {

std::unexpected<Error> usage(std::string id, std::string message, std::string hint = {}) {
  return fail(ErrorClass::usage, std::move(id), std::move(message), std::move(hint));
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

// An explicit flag wins over every environment variable, and of the two ways to name one thing only one may be given
// at the same level. Returns the name of the flag that counts, or "".
Result<std::string> winner(const Options& options, std::initializer_list<const char*> names, std::string_view what) {
  for (auto level : {OptionSource::command_line, OptionSource::environment}) {
    std::string found;
    for (const char* name : names) {
      if (options.source(name) != level) continue;
      if (!found.empty() && level == OptionSource::command_line) {
        return usage("cli.conflicting_flags",
                     fmt::format("{} is named twice: {} and {}", what, options.origin(found), options.origin(name)));
      }
      if (found.empty()) found = name;
    }
    if (!found.empty()) return found;
  }
  return std::string();
}

Result<std::string> location_of(const Options& options, const char* direct, const char* file, const std::string& hint) {
  const std::string name = TRY(winner(options, {direct, file}, "the repository"));
  if (name.empty()) return usage("cli.no_repository", "no repository is named", hint);
  if (name == direct && options.text(direct).empty())
    return usage("cli.no_repository", options.origin(direct) + " does not name a repository", hint);
  if (name == direct) return options.text(direct);
  auto text = sys::read_file(options.text(file));
  if (!text) {
    return usage("cli.repository_file", fmt::format("{}: {}", options.origin(file), text.error().message));
  }
  std::string location = trimmed(as_text(*text));
  if (location.empty()) return usage("cli.repository_file", fmt::format("{} is empty", options.text(file)));
  return location;
}

void set_transport(const Context& context, RepositoryAccess& access) {
  const Options& options = context.options;
  access.cache_dir = options.text("cache-dir");
  access.no_cache = options.flag("no-cache");
  access.no_lock = options.flag("no-lock");
  access.limit_upload = static_cast<uint64_t>(options.integer("limit-upload").value_or(0)) * 1024;
  access.limit_download = static_cast<uint64_t>(options.integer("limit-download").value_or(0)) * 1024;
  access.ca_cert = options.text("cacert");
  access.tls_client_cert = options.text("tls-client-cert");
  access.insecure_tls = options.flag("insecure-tls");
}

Status set_common(const Context& context, RepositoryAccess& access) {
  set_transport(context, access);
  access.retry_lock = TRY(parse_span(context.options.text("retry-lock"), "--retry-lock"));
  for (const auto& option : context.options.list("store-option")) {
    const auto equals = option.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return usage("cli.value", fmt::format("--store-option needs KEY=VALUE, not '{}'", option),
                   "for example --store-option s3.bucket-lookup=path");
    }
    access.store_options[option.substr(0, equals)] = option.substr(equals + 1);
  }
  return {};
}

}  // namespace

Result<RepositoryAccess> repository_access(Context& context) {
  const Options& options = context.options;
  RepositoryAccess access;
  access.location =
      TRY(location_of(options, "backups-path", "repository-file", "name it with -r LOCATION or RESTIC_REPOSITORY"));
  const std::string from =
      TRY(winner(options, {"password-file", "password-command", "restic-password"}, "the password"));
  if (from == "password-file") {
    access.password = {PasswordSource::Kind::file, {}, options.text(from), {}, {}};
  } else if (from == "password-command") {
    access.password = {PasswordSource::Kind::command, {}, {}, options.text(from), {}};
  } else if (from == "restic-password") {
    access.password = {PasswordSource::Kind::literal, Secret(options.text(from)), {}, {}, {}};
    if (options.source(from) == OptionSource::command_line) {
      context.out.warning("cli.password_in_arguments",
                          "the password on the command line can be seen by others on this machine; use --password-file "
                          "or --password-command");
    }
  }
  access.key_hint = options.text("key-hint");
  TRY_VOID(set_common(context, access));
  return access;
}

Result<RepositoryAccess> source_repository_access(Context& context) {
  const Options& options = context.options;
  RepositoryAccess access;
  access.source = true;
  access.location =
      TRY(location_of(options, "from-repo", "from-repository-file", "name the source with --from-repo LOCATION"));
  const std::string from =
      TRY(winner(options, {"from-password-file", "from-password-command"}, "the source's password"));
  if (from == "from-password-file") {
    access.password = {PasswordSource::Kind::file, {}, options.text(from), {}, {}};
  } else if (from == "from-password-command") {
    access.password = {PasswordSource::Kind::command, {}, {}, options.text(from), {}};
  } else if (auto text = context.env.get("RESTIC_FROM_PASSWORD")) {
    access.password = {PasswordSource::Kind::literal, Secret(*text), {}, {}, {}};
  }
  access.password.ways = "the source has a password of its own: --from-password-file or --from-password-command";
  access.key_hint = options.text("from-key-hint");
  TRY_VOID(set_common(context, access));
  return access;
}

PasswordSource new_password_source(const Context& context) {
  PasswordSource source;
  source.ways = "give the new password with --new-password-file or --new-password-command";
  if (auto file = context.options.maybe("new-password-file")) {
    source.kind = PasswordSource::Kind::file;
    source.file = *file;
  } else if (auto command = context.options.maybe("new-password-command")) {
    source.kind = PasswordSource::Kind::command;
    source.command = *command;
  }
  return source;
}

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) {
        word += text[++i];
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote) return usage("cli.words", fmt::format("a {} is not closed in: {}", quote, text));
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<std::chrono::seconds> parse_span(const std::string& text, const std::string& origin) {
  auto bad = [&] {
    return usage("cli.value", fmt::format("{} needs a span such as 30s, 5m or 1h30m, not '{}'", origin, text));
  };
  double total = 0;
  size_t at = 0;
  if (text.empty()) return bad();
  while (at < text.size()) {
    size_t digits = text.find_first_not_of("0123456789.", at);
    if (digits == at || digits - at > 9)
      return digits == std::string::npos && text == "0" ? Result<std::chrono::seconds>(std::chrono::seconds(0)) : bad();
    if (digits == std::string::npos) return text == "0" ? Result<std::chrono::seconds>(std::chrono::seconds(0)) : bad();
    const double number = std::strtod(text.substr(at, digits - at).c_str(), nullptr);
    size_t end = text.find_first_of("0123456789.", digits);
    if (end == std::string::npos) end = text.size();
    const std::string unit = text.substr(digits, end - digits);
    if (unit == "ms") {
      total += number / 1000;
    } else if (unit == "s") {
      total += number;
    } else if (unit == "m") {
      total += number * 60;
    } else if (unit == "h") {
      total += number * 3600;
    } else if (unit == "d") {
      total += number * 86400;
    } else {
      return bad();
    }
    at = end;
  }
  return std::chrono::seconds(static_cast<int64_t>(std::ceil(total)));
}

}  // namespace holdfast::cli
