// Texts and bytes that come from outside: what is written reads back the same, what is malformed is refused.
#include <gtest/gtest.h>

#include <random>

#include "repo/format/config.h"
#include "repo/format/index_file.h"
#include "repo/format/lock_file.h"
#include "repo/format/pack_header.h"
#include "repo/format/snapshot.h"
#include "repo/format/tree.h"

namespace holdfast::repo {
namespace {

Id id_of(uint8_t first) {
  Id id;
  for (size_t i = 0; i < 32; ++i) id.bytes[i] = static_cast<uint8_t>(first + i);
  return id;
}

// Each prefix of a JSON text is no JSON text.
template <class Parse>
void expect_every_cut_refused(const std::string& text, Parse parse) {
  ASSERT_TRUE(parse(text)) << text;
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse(text.substr(0, size))) << text.substr(0, size);
  EXPECT_FALSE(parse(text + "x"));
}

// Parsers must not crash on anything; what they accept they must print and read again.
template <class Parse>
void feed_damaged(const std::string& text, Parse parse) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n) {
      const size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at, 1 + random() % 5);
          break;
        default:
          damaged.insert(at, 1, "{}[]\",:0-\\"[random() % 10]);
      }
      if (damaged.empty()) damaged = "{";
    }
    parse(damaged);
  }
}

Snapshot full_snapshot() {
  Snapshot snapshot;
  snapshot.time = *Timestamp::parse("2026-11-21T14:28:00.123456789+01:00");
  snapshot.parent = id_of(1);
  snapshot.tree = id_of(2);
  snapshot.paths = {"/ns/app/dump.sql", "/with \"quotes\" & <signs>"};
  snapshot.hostname = "h\xC3\xB6st";
  snapshot.username = "root";
  snapshot.uid = 1000;
  snapshot.gid = 100;
  snapshot.excludes = {"*.tmp"};
  snapshot.tags = {"a", "cluster=shop"};
  snapshot.original = id_of(3);
  snapshot.program_version = "holdfast 0.1";
  snapshot.summary = SnapshotSummary{};
  snapshot.summary->backup_start = snapshot.summary->backup_end = snapshot.time;
  snapshot.summary->data_added = 12345678901234;
  snapshot.summary->total_files_processed = 7;
  return snapshot;
}

TEST(SnapshotFormat, prints_what_it_parsed) {
  const std::string text = snapshot_text(full_snapshot());
  const auto parsed = parse_snapshot(text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(snapshot_text(*parsed), text);
  EXPECT_EQ(parsed->paths[1], "/with \"quotes\" & <signs>");
  EXPECT_EQ(parsed->tag_value("cluster"), "shop");
  EXPECT_EQ(parsed->time.offset_seconds, 3600);
  EXPECT_EQ(parsed->summary->data_added, 12345678901234u);
}

TEST(SnapshotFormat, writes_restics_text) {
  Snapshot snapshot;
  snapshot.time = *Timestamp::parse("2026-01-02T03:04:05Z");
  snapshot.tree = id_of(0);
  snapshot.paths = {"/a"};
  snapshot.hostname = "h";
  EXPECT_EQ(
      snapshot_text(snapshot),
      R"({"time":"2026-01-02T03:04:05Z","tree":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",)"
      R"("paths":["/a"],"hostname":"h"})");
}

TEST(SnapshotFormat, refuses_what_is_cut_off_or_lacks_tree_or_time) {
  expect_every_cut_refused(snapshot_text(full_snapshot()),
                           [](const std::string& t) { return parse_snapshot(t).has_value(); });
  EXPECT_FALSE(parse_snapshot(R"({"time":"2026-01-02T03:04:05Z"})"));
  EXPECT_FALSE(parse_snapshot(R"({"tree":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"})"));
  EXPECT_FALSE(parse_snapshot(
      R"({"time":"yesterday","tree":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"})"));
  EXPECT_FALSE(parse_snapshot(R"({"time":"2026-01-02T03:04:05Z","tree":"0001"})"));
}

TEST(SnapshotFormat, keeps_through_damage_what_it_accepts) {
  feed_damaged(snapshot_text(full_snapshot()), [](const std::string& text) {
    const auto parsed = parse_snapshot(text);
    if (!parsed) return;
    // Bytes that are no UTF-8 become U+FFFD once, as Go does; from then on nothing changes.
    const auto once = parse_snapshot(snapshot_text(*parsed));
    ASSERT_TRUE(once);
    const std::string printed = snapshot_text(*once);
    const auto again = parse_snapshot(printed);
    ASSERT_TRUE(again);
    EXPECT_TRUE(snapshot_text(*again) == printed);
  });
}

TEST(TreeFormat, prints_what_it_parsed) {
  std::vector<Node> nodes(4);
  nodes[0].name = "file \x01 with \xFF bytes";
  nodes[0].mode = 0644;
  nodes[0].size = 3;
  nodes[0].content = {id_of(9), id_of(10)};
  nodes[0].xattrs = {{"user.x", std::string("\0\1", 2)}};
  nodes[1].name = "dir";
  nodes[1].type = NodeType::dir;
  nodes[1].mode = kModeDir | 0755;
  nodes[1].subtree = id_of(20);
  nodes[2].name = "link";
  nodes[2].type = NodeType::symlink;
  nodes[2].link_target = "to \xFE";
  nodes[3].name = "empty";
  const std::string text = tree_text(nodes);
  auto parsed = parse_tree(text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->nodes.size(), 4u);
  EXPECT_EQ(tree_text(parsed->nodes), text);
  EXPECT_EQ(parsed->nodes[0].name, "dir");
  EXPECT_EQ(parsed->nodes[1].name, "empty");
  EXPECT_TRUE(parsed->nodes[1].has_content);
  EXPECT_EQ(parsed->nodes[2].content.size(), 2u);
  EXPECT_EQ(parsed->nodes[3].link_target, "to \xFE");
  expect_every_cut_refused(text.substr(0, text.size() - 1),
                           [](const std::string& t) { return parse_tree(t).has_value(); });
  feed_damaged(text, [](const std::string& damaged) { (void)parse_tree(damaged); });
}

TEST(TreeFormat, refuses_names_a_restore_must_not_follow) {
  const auto tree = [](const std::string& names) {
    std::string nodes;
    for (size_t at = 0; at < names.size();) {
      const size_t comma = std::min(names.find(',', at), names.size());
      nodes += (nodes.empty() ? "" : ",") +
               (R"({"name":")" + names.substr(at, comma - at) + R"(","type":"file","content":[]})");
      at = comma + 1;
    }
    return parse_tree(R"({"nodes":[)" + nodes + "]}").has_value();
  };
  EXPECT_TRUE(tree("a,b"));
  for (const char* wrong : {"..", ".", "a/b", "/a", "b,a", "a,a", "\\u0000"}) EXPECT_FALSE(tree(wrong)) << wrong;
  EXPECT_FALSE(parse_tree(R"({"nodes":[{"name":"","type":"file","content":[]}]})"));
  EXPECT_FALSE(parse_tree(R"({"nodes":[{"name":"a","type":"door","content":[]}]})"));
}

TEST(TreeFormat, tells_a_file_without_a_list_of_contents) {
  const auto parsed = parse_tree(R"({"nodes":[{"name":"a","type":"file","content":null},{"name":"b","type":"file"}]})");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->nodes[0].has_content);
  EXPECT_FALSE(parsed->nodes[1].has_content);
}

TEST(LockFormat, prints_what_it_parsed_and_refuses_the_rest) {
  LockFile lock;
  lock.time = *Timestamp::parse("2026-11-21T14:28:00.5Z");
  lock.exclusive = true;
  lock.hostname = "h";
  lock.username = "u";
  lock.pid = 4711;
  lock.uid = 5;
  const std::string text = lock_text(lock);
  EXPECT_EQ(text,
            R"({"time":"2026-11-21T14:28:00.5Z","exclusive":true,"hostname":"h","username":"u","pid":4711,"uid":5})");
  EXPECT_EQ(lock_text(*parse_lock(text)), text);
  expect_every_cut_refused(text, [](const std::string& t) { return parse_lock(t).has_value(); });
  EXPECT_FALSE(parse_lock(R"({"exclusive":true})"));
  feed_damaged(text, [](const std::string& damaged) { (void)parse_lock(damaged); });
}

TEST(ConfigFormat, prints_what_it_parsed_and_refuses_the_rest) {
  Config config;
  config.id = id_of(1);
  config.polynomial = 0x3DA3358B4DC173;
  const std::string text = config_text(config);
  EXPECT_EQ(config_text(*parse_config(text)), text);
  expect_every_cut_refused(text, [](const std::string& t) { return parse_config(t).has_value(); });
  config.polynomial ^= 2;
  EXPECT_FALSE(parse_config(config_text(config))) << "a reducible polynomial";
  config.polynomial ^= 2;
  config.version = 3;
  EXPECT_EQ(parse_config(config_text(config)).error().id, "repo.config.version");
  feed_damaged(text, [](const std::string& damaged) { (void)parse_config(damaged); });
}

TEST(KeyFormat, prints_what_it_parsed_and_refuses_the_rest) {
  KeyFile file;
  file.created = *Timestamp::parse("2026-11-21T14:28:00Z");
  file.username = "u";
  file.hostname = "h";
  file.salt = Buffer::copy_of(as_bytes(std::string(64, 's')));
  file.sealed_key = Buffer::copy_of(as_bytes(std::string(160, 'k')));
  const std::string text = key_file_text(file);
  EXPECT_EQ(key_file_text(*parse_key_file(text)), text);
  expect_every_cut_refused(text, [](const std::string& t) { return parse_key_file(t).has_value(); });
  std::string other = text;
  other.replace(other.find("scrypt"), 6, "argon2");
  EXPECT_FALSE(parse_key_file(other));
  feed_damaged(text, [](const std::string& damaged) { (void)parse_key_file(damaged); });

  crypto::SealKey key;
  key.encrypt.fill(1);
  key.mac_k.fill(2);
  key.mac_r.fill(3);
  EXPECT_EQ(*parse_master_key(master_key_text(key)), key);
  key.mac_k.fill(0);
  EXPECT_FALSE(parse_master_key(master_key_text(key))) << "a key of zeros";
}

std::vector<PackedBlob> some_blobs() {
  return {{id_of(1), BlobType::data, 0, 132, 0},
          {id_of(2), BlobType::data, 132, 80, 500},
          {id_of(3), BlobType::tree, 212, 90, 333}};
}

TEST(IndexFormat, packs_and_marks_come_back) {
  std::string packs;
  append_index_pack(packs, id_of(50), some_blobs());
  packs += ',';
  append_index_pack(packs, id_of(51), {});
  const std::vector<MarkedPack> marks = {
      {R"({"id":")" + id_of(60).hex() + R"(","time":"2026-01-01T00:00:00Z","blobs":[],"more":{"a":[1]}})"},
      mark_pack(id_of(61), 1234, *Timestamp::parse("2026-02-01T00:00:00Z"), some_blobs())};
  const std::string text = index_text(packs, marks);
  std::vector<PackContents> read;
  std::vector<MarkedPack> read_marks;
  ASSERT_TRUE(parse_index(
      text, [&](PackContents&& pack) { read.push_back(std::move(pack)); },
      [&](MarkedPack&& mark) { read_marks.push_back(std::move(mark)); }));
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].id, id_of(50));
  EXPECT_EQ(read[0].blobs, some_blobs());
  ASSERT_EQ(read_marks.size(), 2u);
  EXPECT_EQ(read_marks[0].json, marks[0].json) << "marks are kept word for word";
  EXPECT_EQ(parse_mark(read_marks[1])->id, id_of(61));
  EXPECT_EQ(parse_mark(read_marks[1])->time->to_string(), "2026-02-01T00:00:00Z");
  EXPECT_FALSE(parse_mark({R"({"time":"2026-01-01T00:00:00Z"})"}));
  const auto accepts = [](const std::string& t) { return parse_index(t, [](PackContents&&) {}).has_value(); };
  expect_every_cut_refused(text, accepts);
  feed_damaged(text, accepts);
}

TEST(IndexFormat, refuses_blobs_that_cannot_be) {
  const auto accepts = [](const std::string& blob) {
    return parse_index(R"({"packs":[{"id":")" + id_of(1).hex() + R"(","blobs":[)" + blob + "]}]}",
                       [](PackContents&&) {})
        .has_value();
  };
  const std::string id = R"("id":")" + id_of(2).hex() + '"';
  EXPECT_TRUE(accepts("{" + id + R"(,"type":"data","offset":0,"length":40})"));
  EXPECT_FALSE(accepts("{" + id + R"(,"type":"data","offset":0,"length":31})")) << "shorter than its seal";
  EXPECT_FALSE(accepts("{" + id + R"(,"type":"leaf","offset":0,"length":40})"));
  EXPECT_FALSE(accepts("{" + id + R"(,"type":"data","offset":4294967295,"length":40})")) << "beyond 4 GiB";
  EXPECT_FALSE(accepts("{" + id + R"(,"type":"data","offset":0,"length":4294967296})"));
  EXPECT_FALSE(accepts(R"({"type":"data","offset":0,"length":40})"));
}

TEST(PackHeader, comes_back_and_accounts_for_every_byte) {
  const auto blobs = some_blobs();
  const Buffer header = encode_pack_header(blobs);
  EXPECT_EQ(*decode_pack_header(header), blobs);
  EXPECT_EQ(pack_size(blobs), 302 + 32 + 4 + header.size());
}

TEST(PackHeader, survives_random_damage) {
  std::mt19937 random(11);
  const Buffer header = encode_pack_header(some_blobs());
  size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Buffer damaged = Buffer::copy_of(header);
    for (int n = static_cast<int>(random() % 4); n >= 0; --n)
      damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
    damaged.resize(random() % 3 == 0 ? random() % (damaged.size() + 1) : damaged.size());
    const auto blobs = decode_pack_header(damaged);
    if (!blobs) continue;
    ++accepted;
    // What is accepted is a header: it says the same when written again.
    const Buffer again = encode_pack_header(*blobs);
    ASSERT_EQ(as_text(again), as_text(damaged));
  }
  EXPECT_GT(accepted, 100u);  // ids and lengths may be anything
}

TEST(PackHeader, length_field_is_checked_against_the_pack) {
  const auto field = [](uint32_t value) {
    Buffer bytes(4);
    std::memcpy(bytes.data(), &value, 4);
    return bytes;
  };
  EXPECT_EQ(*pack_header_length(field(100), 1000), 100u);
  EXPECT_FALSE(pack_header_length(field(31), 1000));
  EXPECT_FALSE(pack_header_length(field(997), 1000));
  EXPECT_FALSE(pack_header_length(field(UINT32_MAX), UINT64_MAX));
  EXPECT_FALSE(pack_header_length(field(100).span(0, 3), 1000));
}

}  // namespace
}  // namespace holdfast::repo
