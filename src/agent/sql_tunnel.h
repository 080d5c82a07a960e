// A server on another host, reached through its agent: a unix socket of this process, whose connections an agent
// carries to its server's own socket. Whatever speaks to a server by a socket needs to know nothing of it.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "agent/client.h"
#include "base/mutex.h"
#include "sys/file.h"

namespace holdfast::agent {

/// Thread-safe. Its connections end with it.
class SqlTunnel {
 public:
  /// `port` names the socket as libpq wants it. What is wrong on the way a client sees as a lost connection.
  static Result<std::shared_ptr<SqlTunnel>> open(const Address& agent, int port);
  /// The same, with a first connection at once, so that what is wrong is known here: errors of Client, and
  /// "agent.no_server" (unavailable).
  static Result<std::shared_ptr<SqlTunnel>> connect(const Address& agent, int port, Deadline deadline,
                                                    std::stop_token stop = {});
  ~SqlTunnel();
  SqlTunnel(const SqlTunnel&) = delete;
  SqlTunnel& operator=(const SqlTunnel&) = delete;

  /// Path of the socket, in a directory that only this process's user can enter.
  const std::string& socket() const { return path_; }

 private:
  SqlTunnel(Address agent, sys::TempDir folder, std::string path)
      : agent_(std::move(agent)), folder_(std::move(folder)), path_(std::move(path)) {}
  Status listen();
  void run(const std::stop_token& stop);
  void carry(sys::Fd client, const std::stop_token& stop);
  Result<std::unique_ptr<net::Stream>> ask(Deadline deadline, const std::stop_token& stop);

  struct Carried {
    std::atomic<bool> done = false;
    std::jthread thread;
  };
  struct Ready {
    std::unique_ptr<net::Stream> stream;
    std::chrono::steady_clock::time_point since;
  };

  const Address agent_;
  const sys::TempDir folder_;
  const std::string path_;
  sys::Fd listener_;
  Mutex mutex_;
  std::optional<Ready> ready_ GUARDED_BY(mutex_);  ///< the first connection, until a client takes it
  std::list<Carried> carried_;                     ///< of the accepting thread
  std::jthread thread_;
};

}  // namespace holdfast::agent
