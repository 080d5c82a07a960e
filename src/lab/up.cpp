#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <thread>

#include "lab/cluster_up.h"

namespace holdfast::lab {

Result<LabStatus> up(const Options& options, const std::vector<std::string>& clusters, Deadline deadline,
                     std::stop_token stop) {
  const Layout layout(options.state_dir);
  auto plans = TRY(select_clusters(clusters));
  auto lock = TRY(lock_lab(layout, deadline, stop));
  std::error_code error;
  std::string program =
      options.program.empty() ? std::filesystem::read_symlink("/proc/self/exe", error).string() : options.program;
  std::mutex speaking;
  UpContext context{layout, program,
                    [&](const std::string& line) {
                      std::lock_guard guard(speaking);
                      if (options.progress) options.progress(line);
                    },
                    deadline, stop};
  // All at once: most of the time is spent waiting for disks and for servers to answer.
  std::vector<Status> results(plans.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < plans.size(); ++i)
      threads.emplace_back(
          [&, i] { results[i] = bring_up(context, plans[i]).context("bringing up " + plans[i].name); });
  }
  std::string others;
  std::optional<Error> first;
  for (auto& result : results) {
    if (result) continue;
    if (first)
      others += "; " + result.error().to_string();
    else
      first = std::move(result).error();
  }
  if (first) {
    first->message += others;
    return fail(std::move(*first));
  }
  return status(options);
}

}  // namespace holdfast::lab
