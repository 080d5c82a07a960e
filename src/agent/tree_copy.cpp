#include "agent/tree_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "agent/client.h"
#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "agent/launch.h"
#include "agent/log_files.h"
#include "agent/peer_copy.h"
#include "agent/server_files.h"
#include "agent/tree_stream.h"
#include "sys/beneath.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using codec::Value;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

/// How long the other side of a copy may say nothing.
constexpr minutes kIdle{5};

/// Whose they are: copied, they would make two servers one.
constexpr std::array kOfOneServer = {"auto.cnf", "postmaster.pid", "postmaster.opts"};

class TreeWriter {
 public:
  static Result<TreeWriter> open(const std::string& into) {
    return TreeWriter(into, TRY(sys::open_last_directory(into)));
  }

  /// Ends the file before.
  Status begin(const TreeEntry& entry) {
    file_.reset();
    path_ = entry.path;
    if (entry.path.empty() || std::ranges::find(kOfOneServer, entry.path) != kOfOneServer.end()) return {};
    const auto slash = entry.path.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : entry.path.substr(0, slash);
    const std::string name = slash == std::string::npos ? entry.path : entry.path.substr(slash + 1);
    if (!folder_ || folder != folder_path_) {
      folder_ = sys::open_beneath(root_.get(), folder, O_PATH | O_DIRECTORY);
      if (!folder_) return fail(sys::errno_error(errno, full(folder)));
      folder_path_ = folder;
    }
    switch (entry.type) {
      case 'd':
        if (::mkdirat(folder_.get(), name.c_str(), (entry.mode & 0777) | 0700) != 0)
          return fail(sys::errno_error(errno, "making " + full(entry.path)));
        return {};
      case 'f':
        file_ = sys::open_at(folder_.get(), name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (!file_ || ::fchmod(file_.get(), entry.mode & 0777) != 0)
          return fail(sys::errno_error(errno, "making " + full(entry.path)));
        return {};
      case 'l':
        return fail(ErrorClass::refused, "agent.data_elsewhere",
                    entry.path + " is a symbolic link: on another host it would lead elsewhere",
                    "move what it names into the data directory");
      default:
        return {};
    }
  }

  /// Of the file that was begun last; of one that is left out they are dropped.
  Status write(ByteSpan bytes) {
    if (!file_) return {};
    return sys::write_all(file_.get(), bytes).context(full(path_));
  }

 private:
  TreeWriter(std::string into, sys::Fd root) : into_(std::move(into)), root_(std::move(root)) {}
  std::string full(const std::string& path) const { return into_ + "/" + path; }

  std::string into_, path_, folder_path_;
  sys::Fd root_, folder_, file_;
};

Status check_peer(Client& client, const MemberConfig& member, const std::string& name, Deadline deadline,
                  const std::stop_token& stop) {
  const Value told = TRY(client.call("status", Value::object(), deadline, stop));
  if (told["member"].text() == name && told["cluster"].text() == member.cluster &&
      told["namespace"].text() == member.ns && told["engine"].text() == cluster::engine_name(member.engine))
    return {};
  return fail(ErrorClass::refused, "agent.donor",
              fmt::format("what answers as {} is {} of {}/{}, not a member of {}/{}", name, told["member"].text(),
                          told["namespace"].text(), told["cluster"].text(), member.ns, member.cluster),
              "correct the address of its agent");
}

Status take_tree(const MemberConfig& member, const Peer& peer, Deadline deadline, const std::stop_token& stop) {
  auto client = TRY(Client::connect(TRY(peer_address(member, peer)), deadline.at_most(seconds(30)), stop));
  TRY_VOID(check_peer(client, member, peer.name, deadline.at_most(seconds(30)), stop));
  auto stream = TRY(std::move(client).open("tree", Value::object({{"directory", ""}}), deadline.at_most(kIdle), stop));
  {
    const sys::ActAs as_server(server_identity(member));
    TRY_VOID(unpack_tree(*stream, member.data_dir(), deadline, stop));
  }
  // They came along in the directory, and this member has its own elsewhere.
  return leave_logs_of_copy(member);
}

}  // namespace

Status unpack_tree(net::Stream& stream, const std::string& into, Deadline deadline, const std::stop_token& stop) {
  auto writer = TRY(TreeWriter::open(into));
  FrameReader frames(stream, kIdle, stop);
  for (;;) {
    const auto frame = TRY(frames.next());
    if (!frame) break;
    if (deadline.passed())
      return fail(ErrorClass::unavailable, "agent.timeout", "the copy was not complete in the time that it had");
    const char letter = frame->empty() ? '\0' : static_cast<char>(frame->front());
    if (letter == 'N')
      TRY_VOID(writer.begin(TRY(entry_from(TRY(codec::parse_value(as_text(frame->subspan(1))))))));
    else if (letter == 'D')
      TRY_VOID(writer.write(frame->subspan(1)));
    else
      return fail(ErrorClass::failed, "agent.tree", "the agent sent neither an entry nor bytes of a file",
                  "what answers there is no agent of this version");
  }
  if (!frames.result()) return fail(frames.result().error());
  return {};
}

Status copy_stopped_peer(const MemberConfig& member, const std::string& name, Deadline deadline, std::stop_token stop) {
  const Peer* peer = name == member.member ? nullptr : member.find_peer(name);
  if (!peer)
    return fail(ErrorClass::refused, "agent.donor", fmt::format("{} has no other member '{}'", member.member, name));
  if (!peer->agent.empty())
    return make_data_dir(member, [&] { return take_tree(member, *peer, deadline, stop).context("copying " + name); });
  const auto beside = TRY(read_config((fs::path(member.dir).parent_path() / name).string()).context(name));
  TRY_VOID(check_unused(beside.data_dir()));
  return initialise_copy(member, beside.data_dir(), deadline, std::move(stop));
}

}  // namespace holdfast::agent
