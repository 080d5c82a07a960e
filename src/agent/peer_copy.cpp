#include "agent/peer_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>

#include "agent/client.h"
#include "agent/frames.h"
#include "agent/launch.h"
#include "agent/rate_limit.h"
#include "agent/sql_tunnel.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "sys/beneath.h"
#include "sys/random_suffix.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;
using codec::Value;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

/// How long the other side of a copy may say nothing.
constexpr minutes kIdle{5};

/// Our own folder for a backup's temporary files, the server's user's to write; removed with the object.
class Scratch {
 public:
  static Result<Scratch> make(const MemberConfig& config) {
    std::string path = config.dir + "/stream-" + sys::random_suffix();
    TRY_VOID(detail::make_server_dir(config, path, 0700));
    return Scratch(std::move(path));
  }
  Scratch(Scratch&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    if (!path_.empty()) (void)sys::remove_tree(path_);
  }
  const std::string& path() const { return path_; }

 private:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Everything that comes out of `from`, in frames.
Status send_all(int from, net::Stream& stream, const std::stop_token& stop) {
  Buffer bytes(kMostInFrame);
  for (;;) {
    if (!TRY(sys::wait_fd(from, POLLIN, Deadline::in(kIdle), stop)))
      return fail(ErrorClass::unavailable, "agent.timeout", "the backup program wrote nothing for five minutes");
    const ssize_t n = ::read(from, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(sys::errno_error(errno, "reading from the backup program"));
    if (n == 0) return {};
    TRY_VOID(write_frame(stream, ByteSpan(bytes).first(static_cast<size_t>(n)), Deadline::in(kIdle), stop));
  }
}

}  // namespace

Result<Address> peer_address(const MemberConfig& member, const Peer& peer) {
  return Address::parse(peer.agent, {member.tls_ca, member.tls_certificate, member.tls_key});
}

Result<Value> donor_value(const MemberConfig& config, bool measure, Deadline deadline, std::stop_token stop) {
  Donor donor;
  donor.config = config;
  donor.socket = TRY(detail::admin_target(config));
  donor.data_dir = config.data_dir();
  if (measure) donor = TRY(describe_donor(config, deadline, std::move(stop)));
  return Value::object({{"engine", cluster::engine_name(config.engine)},
                        {"cluster", config.cluster},
                        {"namespace", config.ns},
                        {"member", config.member},
                        {"host", config.host},
                        {"port", config.port},
                        {"user", donor.socket.user},
                        {"password", donor.socket.password.reveal()},
                        {"dataDir", donor.data_dir},
                        {"bytes", donor.bytes}});
}

Status serve_backup(const MemberConfig& config, net::Stream& stream, bool& answered, Deadline deadline,
                    std::stop_token stop) {
  if (config.engine != Engine::mariadb && config.engine != Engine::galera)
    return fail(ErrorClass::usage, "agent.request", "only MariaDB and Galera members are copied as a stream");
  const Donor donor = TRY(describe_donor(config, deadline, stop));
  const Scratch scratch = TRY(Scratch::make(config));
  const auto secret =
      TRY(detail::SecretFile::create(config, config, fs::path(scratch.path()).filename().string() + ".cnf",
                                     TRY(engine::mysql_option_file(config.engine, donor.socket))));
  const std::string log_path = config.dir + "/log/backup-stream.log";
  const sys::Fd log = TRY(open_log(config, log_path));
  const off_t log_start = ::lseek(log.get(), 0, SEEK_END);
  auto command = detail::base_command(
      config, {TRY(engine::find_program(Engine::mariadb, "mariadb-backup")), "--defaults-file=" + secret.path(),
               "--backup", "--stream=mbstream", detail::copy_threads(), detail::kThroughPageCache,
               "--datadir=" + donor.data_dir, "--target-dir=" + scratch.path(), "--tmpdir=" + scratch.path()});
  if (config.engine == Engine::galera) command.argv.emplace_back("--galera-info");
  command.in = sys::Stdio::null();
  command.out = sys::Stdio::pipe();
  command.err = sys::Stdio::to(log.get());
  auto backup = TRY(sys::spawn(command));  // killed with this object
  const sys::Fd out = backup.take_stdout();
  sys::widen_pipe(out.get());
  answered = true;
  TRY_VOID(stream.write_all(as_bytes(std::string_view("{\"ok\":true}\n")), deadline, stop));
  TRY_VOID(send_all(out.get(), stream, stop));
  const auto ended = TRY(backup.wait(Deadline::in(kIdle), stop));
  if (ended.ok()) return write_end(stream, Value::object({{"ok", true}}), Deadline::in(kIdle), stop);
  const Error error{ErrorClass::failed,
                    "agent.copy",
                    fmt::format("mariadb-backup on {} ended with {}: {}", config.member, ended.to_string(),
                                tail_as_server(config, log_path, 1200, log_start)),
                    "the whole log is " + log_path + " on its host",
                    {}};
  return write_end(stream, Value::object({{"ok", false}, {"error", error_value(error)}}), Deadline::in(kIdle), stop);
}

Status take_backup(const CopyJob& job) {
  const MemberConfig& c = job.config;
  const Peer* peer = c.find_peer(job.donor.config.member);
  if (!peer) return fail(ErrorClass::bug, "agent.donor", "a donor that is not a peer");
  auto client = TRY(Client::connect(TRY(peer_address(c, *peer)), job.deadline.at_most(seconds(30)), job.stop));
  auto stream = TRY(std::move(client).open("backup_stream", Value::object(), job.deadline.at_most(kIdle), job.stop));
  TRY_VOID(detail::make_server_dir(c, c.data_dir(), 0700));
  auto command = detail::base_command(
      c, {TRY(engine::find_program(Engine::mariadb, "mbstream")), "-x", "-C", c.data_dir(), detail::copy_threads()});
  const std::string log_path = c.dir + "/log/copy.log";
  const sys::Fd log = TRY(open_log(c, log_path));
  const off_t log_start = ::lseek(log.get(), 0, SEEK_END);
  command.in = sys::Stdio::pipe();
  command.out = command.err = sys::Stdio::to(log.get());
  command.umask = 0077;
  auto unpack = TRY(sys::spawn(command));
  sys::Fd in = unpack.take_stdin();
  sys::widen_pipe(in.get());
  job.progress.watch(unpack.pid());
  RateLimit limit(job.rate);
  const auto take = [&](ByteSpan bytes) -> Status {
    limit.passed(bytes.size(), job.stop);
    return sys::write_all(in.get(), bytes);
  };
  auto taken = read_frames(*stream, take, kIdle, job.stop);
  in.reset();
  if (!taken && taken.error().error_class == ErrorClass::unavailable && job.stop.stop_requested())
    taken = fail(ErrorClass::interrupted, "agent.cancelled", "stopped on request");
  const auto ended = taken ? TRY(unpack.wait(job.deadline, job.stop)) : TRY(unpack.kill());
  job.progress.watch(0);
  if (!taken && taken.error().id != "sys.io") return fail(std::move(taken).error());
  if (ended.ok()) return {};
  return fail(
      ErrorClass::failed, "agent.copy",
      fmt::format("mbstream ended with {}: {}", ended.to_string(), tail_as_server(c, log_path, 1200, log_start)),
      "the whole log is " + log_path);
}

namespace {

Result<Donor> ask(const MemberConfig& member, const Peer& peer, bool measure, Deadline deadline,
                  const std::stop_token& stop) {
  const Address address = TRY(peer_address(member, peer));
  auto client = TRY(Client::connect(address, deadline, stop));
  const Value told = TRY(client.call("donor", Value::object({{"measure", measure}}), deadline, stop));
  Donor donor;
  donor.remote = true;
  donor.config.member = told["member"].text();
  donor.config.cluster = told["cluster"].text();
  donor.config.ns = told["namespace"].text();
  donor.config.engine = cluster::parse_engine(told["engine"].text()).value_or(member.engine);
  donor.config.host = told["host"].text();
  donor.config.port = static_cast<int>(told["port"].integer());
  donor.config.uid = member.uid;
  donor.config.gid = member.gid;
  donor.data_dir = told["dataDir"].text();
  donor.bytes = told["bytes"].unsigned_integer();
  const auto tunnel = TRY(SqlTunnel::connect(address, donor.config.port, deadline, stop));
  donor.socket.socket = tunnel->socket();
  donor.socket.port = donor.config.port;
  donor.socket.user = told["user"].text();
  donor.socket.password = Secret(told["password"].text());
  donor.socket.app_name = "holdfast-agent";
  donor.socket.keep = tunnel;
  return donor;
}

}  // namespace

Result<Donor> ask_donor(const MemberConfig& member, const Peer& peer, Deadline deadline, std::stop_token stop) {
  return ask(member, peer, true, deadline, stop);
}

Result<sql::Target> peer_admin(const MemberConfig& member, const std::string& name, Deadline deadline,
                               std::stop_token stop) {
  const Peer* peer = member.find_peer(name);
  if (peer && !peer->agent.empty()) return TRY(ask(member, *peer, false, deadline, stop)).socket;
  return detail::admin_target(TRY(read_config((fs::path(member.dir).parent_path() / name).string())));
}

}  // namespace holdfast::agent
