#include "steward/copies.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/diverged.h"
#include "backup/escrow.h"
#include "repair/step_kinds.h"
#include "steward/stored_tree.h"

namespace holdfast::steward {

using codec::Value;

bool needs_repository(const operation::Plan& plan) {
  return std::ranges::any_of(plan.steps, [](const operation::Step& step) {
    return repair::is<repair::kind::TakeEscrow>(step) || repair::is<repair::kind::DumpMember>(step);
  });
}

Status CopyKeeper::open() {
  auto opened = settings_.open();
  if (!opened) {
    why_closed_ = opened.error();
    return fail(why_closed_);
  }
  opened_ = std::move(*opened);
  return {};
}

Status CopyKeeper::load_index() {
  if (!opened_) return fail(why_closed_);
  if (!loaded_) TRY_VOID(opened_->repository().load_index());
  loaded_ = true;
  return {};
}

namespace {

Value escrow_value(const backup::EscrowReport& kept) {
  return Value::object({{"snapshot", kept.snapshot}, {"files", kept.files}, {"bytes", kept.bytes}});
}

}  // namespace

Result<Value> CopyKeeper::take_escrow(const std::string& member, const std::string& folder, const std::string& job,
                                      std::stop_token stop) {
  TRY_VOID(load_index());
  backup::EscrowRequest request{cluster_, member, folder, job, settings_.program};
  repo::TreeBackupProgress progress;
  const auto confirm = [&] { return opened_->confirm(); };
  const provider::ClusterMembers members(cluster_);
  if (auto* way = members.find(member); way && way->supervised()) {
    const auto tree = TRY(stored_tree(*way, stop));
    return escrow_value(
        TRY(backup::take_escrow(opened_->repository(), request, *tree, progress, confirm, std::move(stop))));
  }
  return escrow_value(TRY(backup::take_escrow(opened_->repository(), request, progress, confirm, std::move(stop))));
}

Result<Value> CopyKeeper::take_dump(const std::string& member, const std::string& job, std::stop_token stop) {
  TRY_VOID(load_index());
  backup::DivergedRequest request{cluster_, TRY(settings_.targets(cluster_)), member, job, settings_.program};
  auto kept =
      TRY(backup::dump_diverged(opened_->repository(), request, [&] { return opened_->confirm(); }, std::move(stop)));
  if (!kept.undumpable.empty()) {
    observer_.warning({"repair.no_dump", fmt::format("no dump of {} is kept: {}", member, kept.undumpable)});
    return Value::object({{"unproven", "no dump is kept: " + kept.undumpable}});
  }
  return Value::object(
      {{"snapshot", kept.snapshot}, {"path", kept.path}, {"position", kept.position}, {"bytes", kept.bytes}});
}

}  // namespace holdfast::steward
