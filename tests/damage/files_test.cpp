// Files of a repository damaged from outside: each damage is found by `check --read-data`, none becomes a wrong byte.
#include <filesystem>

#include "tests/damage/damage.h"

namespace holdfast::test {
namespace {

class Files : public Damage {};

TEST_F(Files, the_undamaged_repository_is_whole) {
  expect_whole();
}

TEST_F(Files, flipped_bits_are_found_and_never_given_back) {
  unsigned number = 0;
  for (const auto& file : files()) {
    const auto good = load(file);
    for (const size_t at : {size_t{0}, good.size() / 3, good.size() * 3 / 4, good.size() - 1}) {
      auto bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (number++ % 8)));
      store(file, bad);
      const auto what = "a flipped bit in byte " + std::to_string(at) + " of " + file;
      expect_found(what);
      expect_no_wrong_byte(what);
    }
    store(file, good);
    if (HasFailure()) return;
  }
  expect_whole();
}

TEST_F(Files, truncated_files) {
  for (const auto& file : files()) {
    const auto good = load(file);
    for (const size_t size : {size_t{0}, size_t{1}, good.size() / 2, good.size() - 1}) {
      store(file, good.substr(0, size));
      const auto what = file + " cut to " + std::to_string(size) + " bytes";
      expect_found(what);
      expect_no_wrong_byte(what);
    }
    store(file, good);
    if (HasFailure()) return;
  }
}

TEST_F(Files, grown_files) {
  for (const auto& file : files()) {
    const auto good = load(file);
    store(file, good + std::string(1, '\0'));
    expect_found(file + " grown by a byte");
    expect_no_wrong_byte(file + " grown by a byte");
    store(file, good);
    if (HasFailure()) return;
  }
}

TEST_F(Files, missing_files) {
  for (const auto& file : files()) {
    if (file.starts_with("snapshots/")) continue;  // a missing snapshot is a forgotten one
    const auto good = load(file);
    std::filesystem::remove(repo + "/" + file);
    expect_found(file + " missing");
    expect_no_wrong_byte(file + " missing");
    store(file, good);
    if (HasFailure()) return;
  }
}

TEST_F(Files, swapped_files) {
  // Whole, authentic objects under each other's names.
  for (const std::string folder : {"data", "snapshots", "index"}) {
    const auto all = files(folder);
    ASSERT_GE(all.size(), 2u) << folder;
    const auto a = load(all[0]), b = load(all[1]);
    store(all[0], b);
    store(all[1], a);
    expect_found(folder + " swapped");
    expect_no_wrong_byte(folder + " swapped");
    store(all[0], a);
    store(all[1], b);
    // The same content under both names.
    store(all[1], a);
    expect_found(folder + " replaced by another");
    expect_no_wrong_byte(folder + " replaced by another");
    store(all[1], b);
    if (HasFailure()) return;
  }
  expect_whole();
}

TEST_F(Files, foreign_files_are_no_damage) {
  store("README.txt", "not ours");
  store("data/00/not-a-pack", "not ours");
  store("snapshots/.tmp-123", "half");
  store("index/" + std::string(63, 'a'), "a name one digit short");
  store("keys/lost+found", "x");
  std::filesystem::create_directories(repo + "/lost+found");
  expect_whole();
}

TEST_F(Files, an_unreferenced_pack_is_no_damage_but_a_forged_one_is) {
  const auto pack = files("data").front();
  const auto body = load(pack) + "x";
  store("data/ff/" + std::string(64, 'f'), body);
  const auto outcome = attempt({"check", "--read-data"});
  EXPECT_NE(outcome.code, 1) << outcome.describe();
  expect_streams();
}

TEST_F(Files, a_repository_of_an_unknown_version_is_refused) {
  const auto key = master_key(box, repo);
  auto config = read_sealed(repo, key, "config");
  config.replace(config.find("\"version\":2"), 11, "\"version\":9");
  store("config", std::string(as_text(crypto::Sealer(key).seal(as_bytes(config)))));
  expect_documented_failure(attempt({"get", "snapshots"}), "version 9");
  expect_documented_failure(attempt({"backup", "--tree", "/etc/hostname"}), "version 9");
}

}  // namespace
}  // namespace holdfast::test
