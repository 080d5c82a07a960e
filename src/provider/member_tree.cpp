#include "provider/member_tree.h"

#include <algorithm>

namespace holdfast::provider {

namespace {

constexpr std::chrono::minutes kIdle{5};

}  // namespace

MemberTree::MemberTree(std::unique_ptr<net::Stream> stream, std::stop_token stop)
    : stream_(std::move(stream)), frames_(*stream_, kIdle, std::move(stop)) {}

Result<std::unique_ptr<MemberTree>> MemberTree::open(std::unique_ptr<net::Stream> answer, std::stop_token stop) {
  std::unique_ptr<MemberTree> tree(new MemberTree(std::move(answer), std::move(stop)));
  TRY_VOID(tree->advance());
  return tree;
}

/// Reads the next frame, which is an entry, bytes of a file, or the end.
Status MemberTree::advance() {
  data_ = {};
  entry_.reset();
  if (over_) return {};
  const auto frame = TRY(frames_.next());
  if (!frame) {
    over_ = true;
    if (!frames_.result()) return fail(frames_.result().error());
    return {};
  }
  if (!frame->empty() && frame->front() == 'N') {
    entry_ = frame->subspan(1);
    return {};
  }
  if (frame->empty() || frame->front() != 'D')
    return fail(ErrorClass::failed, "agent.tree", "the agent sent neither an entry nor bytes of a file",
                "what answers there is no agent of this version");
  data_ = frame->subspan(1);
  return {};
}

Result<std::optional<agent::TreeEntry>> MemberTree::next() {
  while (!entry_ && !over_) TRY_VOID(advance());
  if (over_) return std::optional<agent::TreeEntry>();
  auto entry = TRY(agent::entry_from(TRY(codec::parse_value(as_text(*entry_)))));
  TRY_VOID(advance());
  return std::optional(std::move(entry));
}

Result<size_t> MemberTree::read(MutableByteSpan into) {
  while (data_.empty()) {
    if (entry_ || over_) return size_t{0};
    TRY_VOID(advance());
  }
  const size_t count = std::min(into.size(), data_.size());
  std::ranges::copy(data_.first(count), into.data());
  data_ = data_.subspan(count);
  return count;
}

}  // namespace holdfast::provider
