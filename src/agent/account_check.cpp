#include "agent/account_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "agent/channels.h"
#include "agent/copy.h"
#include "agent/launch.h"
#include "agent/peers.h"
#include "cluster/server_words.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "sys/process.h"

namespace holdfast::agent {

using cluster::Engine;
using codec::Value;

namespace {

/// The value of an SQL literal: 'it''s' and 'it\'s' -> it's
std::string unquoted(const std::string& literal) {
  if (literal.size() < 2 || literal.front() != '\'') return literal;
  std::string text;
  for (size_t i = 1; i + 1 < literal.size(); ++i) {
    if ((literal[i] == '\\' || literal[i] == '\'') && i + 2 < literal.size()) ++i;
    text += literal[i];
  }
  return text;
}

/// With the account the replica would be told: its own where it has one, else the agent's.
Result<engine::Channel> channel_to(const MemberConfig& config, const SourceToCheck& source) {
  engine::Channel channel;
  const auto noted = noted_channels(config);
  const PeerSources sources(config, noted);
  const Peer* peer = config.find_peer(source.member);
  const auto same = std::ranges::find_if(noted, [&](const engine::Channel& c) {
    return peer ? sources.peer(c) == peer : c.host == source.host && c.port == source.port;
  });
  const auto own = same != noted.end()
                       ? same
                       : std::ranges::find_if(noted, [&](const engine::Channel& c) { return sources.peer(c); });
  if (own != noted.end()) channel = *own;
  if (source.renew || channel.user.empty() || channel.user == config.replication_user || channel.password.empty()) {
    channel.user = config.replication_user;
    channel.password = Secret(TRY(read_password(config.replication_password_file)));
  }
  channel.host = peer ? peer->host : source.host;
  channel.port = peer ? peer->port : source.port;
  return channel;
}

/// Why these grants do not let it read the logs; "" where they do, or do not say.
std::string lacks_privilege(const std::string& grants) {
  std::istringstream lines(grants);
  for (std::string grant; std::getline(lines, grant);) {
    for (const char* enough : {"REPLICATION SLAVE", "REPLICATION REPLICA", "ALL PRIVILEGES"})
      if (grant.find(enough) != std::string::npos && grant.find(" ON *.* ") != std::string::npos) return "";
    if (grant.starts_with("GRANT `") || grant.starts_with("SET DEFAULT ROLE"))
      return "";  // by a role, which can hold it
  }
  return "it may not read the logs: it lacks the privilege REPLICATION SLAVE";
}

/// "ERROR 1045 (28000): Access denied ..." -> the number; 0 where there is none.
int error_number(const std::string& text) {
  const size_t at = text.find("ERROR ");
  return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + 6);
}

std::string error_text(const std::string& text) {
  const size_t at = text.find("ERROR ");
  const size_t colon = at == std::string::npos ? at : text.find("): ", at);
  const std::string said = colon == std::string::npos ? text : text.substr(colon + 3);
  return fmt::format("[{}] {}", error_number(text), said.substr(0, said.find('\n')));
}

}  // namespace

Secret client_options(Engine engine, const engine::Channel& channel) {
  const bool mysql = engine == Engine::mysql;
  const std::string prefix = mysql ? "SOURCE_" : "MASTER_";
  const auto value = [&](const char* option) {
    const auto found = channel.options.find(prefix + option);
    return found == channel.options.end() ? std::string() : unquoted(found->second);
  };
  Secret text("[client]\nprotocol=tcp\n");
  const auto add = [&](const char* name, std::string_view of) {
    if (!of.empty()) text.append(name).append("=").append(engine::mysql_option_value(of)).append("\n");
  };
  add("host", channel.host);
  add("port", std::to_string(channel.port));
  add("user", channel.user);
  add("password", channel.password.reveal());
  const bool tls = value("SSL") == "1", verified = value("SSL_VERIFY_SERVER_CERT") == "1";
  const std::string ca = value("SSL_CA"), path = value("SSL_CAPATH");
  if (mysql) {
    // As the receiver does: a certificate authority without more verifies the chain and not the name.
    add("ssl-mode", !tls                         ? "DISABLED"
                    : verified                   ? "VERIFY_IDENTITY"
                    : ca.empty() && path.empty() ? "REQUIRED"
                                                 : "VERIFY_CA");
    text.append("get-server-public-key\n");
    add("bind-address", value("BIND"));
    add("tls-version", value("TLS_VERSION"));
  } else if (tls) {
    text.append("ssl\n").append(verified ? "ssl-verify-server-cert\n" : "skip-ssl-verify-server-cert\n");
  } else {
    text.append("skip-ssl\n");
  }
  if (tls) {
    add("ssl-ca", ca);
    add("ssl-capath", path);
    add("ssl-cert", value("SSL_CERT"));
    add("ssl-key", value("SSL_KEY"));
    add("ssl-cipher", value("SSL_CIPHER"));
    add("ssl-crl", value("SSL_CRL"));
    add("ssl-crlpath", value("SSL_CRLPATH"));
  }
  text.append("connect-timeout=5\n");
  return text;
}

Value check_account(const MemberConfig& config, const SourceToCheck& source, Deadline deadline, std::stop_token stop) {
  std::string user = config.replication_user;
  const auto unchecked = [&](const std::string& why) {
    return Value::object({{"checked", false}, {"user", user}, {"why", why}});
  };
  const auto checked = [&](const std::string& refusal) {
    return Value::object({{"checked", true}, {"user", user}, {"refusal", refusal}});
  };
  if (config.engine != Engine::mariadb && config.engine != Engine::mysql) return unchecked("not of this engine");
  const auto channel = channel_to(config, source);
  if (!channel) return unchecked(channel.error().message);
  user = channel->user;
  const auto program = engine::find_program(config.engine, config.engine == Engine::mysql ? "mysql" : "mariadb");
  if (!program) return unchecked(program.error().message);
  const auto file = detail::SecretFile::create(config, config, "account.cnf", client_options(config.engine, *channel));
  if (!file) return unchecked(file.error().message);
  auto command = detail::base_command(
      config, {*program, "--defaults-file=" + file->path(), "--batch", "--skip-column-names", "-e", "SHOW GRANTS"});
  const auto ran = sys::run(std::move(command), deadline, std::move(stop));
  if (!ran) return unchecked(ran.error().message);
  if (ran->status.ok()) return checked(lacks_privilege(ran->out));
  if (cluster::turns_account_away(error_number(ran->err))) return checked(error_text(ran->err));
  return unchecked(error_text(ran->err));
}

}  // namespace holdfast::agent
