// new_data_dir MEMBER_FOLDER: makes a data directory as the agent does, by something that syncs nothing (initdb
// --no-sync, cp -a), and swaps it in for one that is there.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "agent/data_dir.h"
#include "sys/file.h"
#include "tests/damage/new_data_dir.h"

using namespace holdfast;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const agent::MemberConfig config = test::member_of(argv[1]);
  const bool beside = std::filesystem::exists(config.data_dir());
  const agent::MemberConfig made = beside ? agent::side_of(config) : config;
  const auto done = agent::make_data_dir(made, [&]() -> Status {
    std::filesystem::create_directories(made.data_dir() + "/base/1");
    for (const auto& [name, content] : test::new_files()) {
      const auto file = TRY(sys::open_file(made.data_dir() + "/" + name, O_WRONLY | O_CREAT));
      TRY_VOID(sys::write_all(file.get(), as_bytes(content)));
    }
    return {};
  });
  if (!done) return std::fprintf(stderr, "%s\n", done.error().to_string().c_str()), 1;
  if (!beside) return 0;
  const auto swapped = agent::swap_in_side(config);
  return swapped ? 0 : 1;
}
