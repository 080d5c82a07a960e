// A TCP proxy on loopback that misbehaves on order: each accepted connection takes the next behaviour of its queue.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::test {

struct Behaviour {
  enum class Kind {
    pass,
    answer,            ///< reads one whole request, answers `text`, closes
    close_request,     ///< forwards `after` bytes of the request, then calls `hook` and closes both sides
    close_response,    ///< forwards the request, then `after` bytes of the answer, then closes (`after` 0: no answer at
                       ///< all)
    stall_response,    ///< forwards the request and `after` bytes of the answer, then nothing, until the proxy stops
    slow,              ///< forwards at most `after` bytes every 20 ms
    dribble,           ///< forwards the request, then the answer a byte every 100 ms
    stall,             ///< takes everything, answers nothing, until the proxy stops
    flip_request_bit,  ///< forwards, with one bit of request byte number `after` changed
  };
  Kind kind = Kind::pass;
  uint64_t after = 0;
  std::string text;
  std::function<void()> hook;

  static Behaviour answer(int status, const std::string& headers = "");
};

class FaultProxy {
 public:
  explicit FaultProxy(int upstream_port);
  ~FaultProxy();

  int port() const { return port_; }
  void next(Behaviour behaviour, int times = 1);
  /// What connections do once the queue is empty (default: pass).
  void always(Behaviour behaviour);
  int connections() const;

 private:
  void accept_all(std::stop_token stop);
  void serve(int client, Behaviour behaviour, std::stop_token stop);

  const int upstream_port_;
  int port_ = 0;
  int listener_ = -1;
  mutable std::mutex mutex_;
  std::deque<Behaviour> queue_;        // guarded by mutex_
  Behaviour otherwise_;                // guarded by mutex_
  int connections_ = 0;                // guarded by mutex_
  std::vector<std::jthread> workers_;  // of the acceptor only, until it has ended
  std::jthread acceptor_;
};

}  // namespace holdfast::test
