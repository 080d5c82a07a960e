#include "agent/errant_log.h"

#include <poll.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include "sys/process.h"

namespace holdfast::agent {

using codec::Value;
using std::chrono::minutes;

namespace {

constexpr minutes kIdle{5};
constexpr size_t kMostInItem = 16 << 20;

/// Sends them, and the answer before the first: what fails until then is an answer of its own.
class FrameSink : public engine::ErrantLogSink {
 public:
  FrameSink(net::Stream& stream, bool& answered, const std::stop_token& stop)
      : stream_(stream), answered_(answered), stop_(stop) {}

  Status item(const Value& item) override {
    if (!answered_) {
      answered_ = true;
      TRY_VOID(stream_.write_all(as_bytes(std::string_view("{\"ok\":true}\n")), Deadline::in(kIdle), stop_));
    }
    const std::string text = codec::to_json(item);
    ByteSpan rest = as_bytes(text);
    for (; rest.size() > kMostInFrame - 1; rest = rest.subspan(kMostInFrame - 1))
      TRY_VOID(frame('M', rest.first(kMostInFrame - 1)));
    return frame('N', rest);
  }
  Status bytes(ByteSpan bytes) override {
    while (!bytes.empty()) {
      const ByteSpan some = bytes.first(std::min(bytes.size(), kMostInFrame - 1));
      TRY_VOID(frame('D', some));
      bytes = bytes.subspan(some.size());
    }
    return {};
  }

 private:
  Status frame(char letter, ByteSpan bytes) {
    buffer_.resize(bytes.size() + 1);
    buffer_.data()[0] = static_cast<uint8_t>(letter);
    std::ranges::copy(bytes, buffer_.data() + 1);
    return write_frame(stream_, buffer_.span(), Deadline::in(kIdle), stop_);
  }
  net::Stream& stream_;
  bool& answered_;
  const std::stop_token& stop_;
  Buffer buffer_;
};

/// Whether who asked is still there: nobody searches for one that has gone.
class PeerWatch {
 public:
  PeerWatch(int fd, const std::stop_token& outer)
      : outer_(outer, [this] { gone_.request_stop(); }), thread_([this, fd](const std::stop_token& over) {
          const auto hung_up = sys::wait_fd(fd, POLLRDHUP, Deadline::never(), over);
          if (hung_up && *hung_up) gone_.request_stop();
        }) {
    pollfd now{fd, POLLRDHUP, 0};
    if (::poll(&now, 1, 0) > 0) gone_.request_stop();
  }
  std::stop_token token() const { return gone_.get_token(); }

 private:
  std::stop_source gone_;
  std::stop_callback<std::function<void()>> outer_;
  std::jthread thread_;
};

std::unexpected<Error> strange() {
  return fail(ErrorClass::failed, "agent.frame", "the agent sent neither an item nor bytes",
              "what answers there is no agent of this version");
}

}  // namespace

Status serve_errant_log(const MemberConfig& config, const Value& request, net::Stream& stream, bool& answered,
                        Deadline deadline, const std::stop_token& stop) {
  auto search = errant_search(config, request);
  search.most = std::min<size_t>(request["most"].unsigned_integer(kMostErrant), kMostErrant);
  search.deadline = deadline;
  const PeerWatch watch(stream.poll_fd(), stop);
  search.stop = watch.token();
  engine::ErrantLogOptions options;
  options.altered = request["altered"].boolean();
  options.most_records = std::min<size_t>(request["mostRecords"].unsigned_integer(), kMostRecords);
  FrameSink sink(stream, answered, stop);
  auto result = engine::read_errant_log(search, options, sink);
  if (!answered) return result ? strange() : fail(std::move(result).error());
  if (!result)
    return write_end(stream, Value::object({{"ok", false}, {"error", error_value(result.error())}}),
                     Deadline::in(kIdle), stop);
  result->set("ok", true);
  return write_end(stream, *result, Deadline::in(kIdle), stop);
}

engine::ErrantSearch errant_search(const MemberConfig& config, const Value& request) {
  engine::ErrantSearch search;
  search.engine = config.engine;
  search.data_dir = config.data_dir();
  search.log_base = config.binlog_base();
  search.relay_base = config.relay_base();
  search.transactions = request["transactions"].text();
  for (const auto& name : request["heartbeatTables"].items()) search.heartbeat_tables.insert(name.text());
  return search;
}

Result<Value> receive_errant_log(net::Stream& stream, engine::ErrantLogSink& to, const std::stop_token& stop) {
  std::string item;
  const auto take = [&](ByteSpan frame) -> Status {
    const char letter = static_cast<char>(frame[0]);
    frame = frame.subspan(1);
    if (letter == 'D' && item.empty()) return to.bytes(frame);
    if ((letter != 'M' && letter != 'N') || frame.size() > kMostInItem - item.size()) return strange();
    item += as_text(frame);
    if (letter == 'M') return {};
    const Value parsed = TRY(codec::parse_value(std::exchange(item, {})));
    return to.item(parsed);
  };
  auto result = TRY(read_frames(stream, take, kIdle, stop));
  if (!item.empty()) return strange();
  return result;
}

}  // namespace holdfast::agent
