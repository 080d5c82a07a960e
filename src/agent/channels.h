// MariaDB, MySQL: what the agent remembers of the replication connections its server has configured. They are lost with
// the data directory, and a rebuilt member has them again.
//
// <dir>/channels.json (0600, with passwords): {"channels": [...]} as engine/channels.h writes them
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "agent/config.h"
#include "base/deadline.h"
#include "cluster/facts.h"
#include "engine/channels.h"

namespace holdfast::agent {

/// Asks the running server and writes the file when something has changed. Where the server has none, those whose
/// source is a member of the cluster are kept: a detached replica gets its settings back.
Status note_channels(const MemberConfig& config, Deadline deadline, std::stop_token stop = {});
/// What was noted last; empty where nothing was.
std::vector<engine::Channel> noted_channels(const MemberConfig& config);

/// What was noted last, without passwords, for who can tell which members the sources are: [{"channel", "upstream",
/// "sourceUuid", "origins"}].
codec::Value noted_value(const MemberConfig& config);
/// noted_value() as facts.
std::vector<cluster::Following> noted_from(const codec::Value& list);

/// Notes them again and again from a thread of its own: a server that hangs holds nobody else up.
class ChannelWatch {
 public:
  /// `serving` returns the member's configuration while its server serves on its own data directory.
  explicit ChannelWatch(std::function<std::optional<MemberConfig>()> serving) : serving_(std::move(serving)) {}
  /// Its thread takes the signal mask of the caller.
  void start();

 private:
  void run(const std::stop_token& stop);

  const std::function<std::optional<MemberConfig>()> serving_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace holdfast::agent
