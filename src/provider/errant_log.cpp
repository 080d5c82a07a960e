#include "provider/errant_log.h"

#include "provider/member_access.h"

namespace holdfast::provider {

Result<engine::Adoptable> fetch_adoptable(MemberAccess& member, const std::string& transactions, Deadline deadline,
                                          std::stop_token stop) {
  const auto folder = TRY(sys::TempDir::create("adopt"));
  ErrantLogRequest request;
  request.transactions = transactions;
  request.altered = true;
  // More than is adopted of row events: what is around them counts here, too.
  request.limits = {.most = engine::kMostAdopted, .most_records = 0, .most_bytes = 4 * engine::kMostAdoptedBytes};
  request.deadline = deadline;
  const auto log = TRY(member.files().errant_log(request, folder.path(), stop));
  return engine::read_adoptable(log, transactions);
}

}  // namespace holdfast::provider
