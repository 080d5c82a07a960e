#include "tests/bench/sql_data.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "tests/bench/random.h"
#include "tests/bench/words.h"

namespace holdfast::bench {
namespace {

constexpr double kStatementBytes = 1 << 20;  // mysqldump ends a statement at net_buffer_length
constexpr uint64_t kRunRows = 1000;
constexpr double kChunkBytes =
    2.0 * (1 << 20);  // what one changed byte costs: its chunk and those until the cuts agree again

/// Row `id`, version `version`: `fixed` draws what an update keeps, `changing` what it changes.
struct Row {
  uint64_t id;
  Random fixed;
  Random changing;
};

struct Table {
  const char* name;
  const char* columns;  ///< body of CREATE TABLE
  double share;         ///< of the stream's bytes
  double row_bytes;     ///< mean, measured
  void (*write)(std::string& to, Row& row);
};

void append_time(std::string& to, Random& random, uint64_t id) {
  // Rows are inserted in time order: days follow the id, the rest is random.
  const uint64_t day = id / 4000 + random.below(20);
  append_number(to, 2019 + day / 336 % 8);
  to += '-';
  append_padded(to, 1 + day / 28 % 12, 2);
  to += '-';
  append_padded(to, 1 + day % 28, 2);
  to += ' ';
  append_padded(to, random.below(24), 2);
  to += ':';
  append_padded(to, random.below(60), 2);
  to += ':';
  append_padded(to, random.below(60), 2);
}

void append_name(std::string& to, std::string_view word) {
  to += static_cast<char>(word[0] >= 'a' && word[0] <= 'z' ? word[0] - 'a' + 'A' : word[0]);
  to += word.substr(1);
}

/// `count` characters of a token or a password hash: 6 bits each.
void append_base64(std::string& to, Random& random, unsigned count) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./";
  uint64_t bits = 0;
  for (unsigned i = 0; i < count; ++i, bits >>= 6) {
    if (i % 10 == 0) bits = random.next();
    to += kDigits[bits & 63];
  }
}

void append_sentence(std::string& to, Random& random, size_t words) {
  const Words& from = vocabulary();
  for (size_t i = 0; i < words; ++i) {
    if (i == 0) {
      append_name(to, from.common(random));
      continue;
    }
    const uint64_t dice = random.below(64);
    to += dice == 0 ? "\\n" : dice < 4 ? ", " : dice == 4 ? "\\'s " : " ";
    to += from.common(random);
  }
}

void write_order(std::string& to, Row& row) {
  static constexpr std::string_view kStatus[] = {"new", "paid", "shipped", "delivered", "returned", "cancelled"};
  append_number(to, row.fixed.below(2'000'000));
  to += ",'";
  to += kStatus[row.changing.below(6)];
  to += "',";
  append_number(to, row.changing.below(100'000));
  to += '.';
  append_padded(to, row.changing.below(100), 2);
  to += ",'";
  append_time(to, row.fixed, row.id);
  to += "','";
  append_time(to, row.changing, row.id);
  to += "','";
  append_base64(to, row.fixed, 20);
  to += "',";
  if (row.changing.chance(0.4)) {
    to += "NULL";
  } else {
    to += '\'';
    append_sentence(to, row.changing, row.changing.between(3, 12));
    to += '\'';
  }
}

void write_customer(std::string& to, Row& row) {
  const Words& words = vocabulary();
  const auto first = words.any(row.fixed), last = words.any(row.fixed);
  to += '\'';
  append_name(to, first);
  to += "','";
  append_name(to, last);
  to += "','";
  to.append(first).append(".").append(last);
  append_number(to, row.fixed.below(1000));
  to.append("@").append(words.at(row.fixed.below(300))).append(".example','+");
  append_number(to, row.fixed.between(10'000'000'000, 999'999'999'999));
  to += "',";
  append_number(to, row.changing.below(10'000'000));
  to += ",'{\\\"theme\\\":\\\"";
  to += words.at(row.changing.below(8));
  to += "\\\",\\\"visits\\\":";
  append_number(to, row.changing.below(5000));
  to += "}','$2y$10$";
  append_base64(to, row.changing, 53);
  to += "','";
  append_time(to, row.fixed, row.id);
  to += '\'';
}

void write_event(std::string& to, Row& row) {
  static constexpr std::string_view kAgents[] = {
      "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)", "curl/7.88.1", "okhttp/4.12.0"};
  const Words& words = vocabulary();
  append_number(to, row.fixed.below(2'000'000));
  to += ",'";
  for (unsigned part : {8u, 4u, 4u, 4u, 12u}) {
    append_hex(to, row.fixed.next(), part);
    if (part != 12) to += '-';
  }
  to += "','";
  append_base64(to, row.fixed, 22);
  to += "','/";
  to.append(words.at(row.fixed.below(40))).append("/").append(words.common(row.fixed)).append("?id=");
  append_number(to, row.fixed.below(1'000'000));
  to += "','";
  to += kAgents[row.fixed.below(4)];
  to += "',";
  append_number(to, row.fixed.below(1ull << 32));
  to += ',';
  append_number(to, row.changing.below(30'000));
  to += ",'";
  append_time(to, row.fixed, row.id);
  to += '.';
  append_padded(to, row.fixed.below(1'000'000), 6);
  to += '\'';
}

void write_document(std::string& to, Row& row) {
  to += '\'';
  append_sentence(to, row.fixed, row.fixed.between(2, 7));
  to += "',";
  append_number(to, row.changing.between(1, 40));
  to += ",'";
  const uint64_t sentences = row.fixed.between(2, 14);
  for (uint64_t i = 0; i < sentences; ++i) {
    append_sentence(to, row.changing, row.changing.between(4, 18));
    to += i % 5 == 4 ? ".\\n\\n" : ". ";
  }
  to += "',0x";
  for (int i = 0; i < 8; ++i) append_hex(to, row.fixed.next(), 16);
}

constexpr Table kTables[] = {
    {"customers",
     "  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  `first_name` varchar(64) NOT NULL,\n  `last_name` varchar(64) "
     "NOT "
     "NULL,\n  `email` varchar(255) NOT NULL,\n  `phone` varchar(32) DEFAULT NULL,\n  `balance` int NOT NULL,\n  "
     "`settings` "
     "json DEFAULT NULL,\n  `password` char(60) NOT NULL,\n  `created_at` datetime NOT NULL,\n  PRIMARY KEY (`id`),\n  "
     "UNIQUE KEY `email` (`email`)\n",
     0.2, 221.6, write_customer},
    {"documents",
     "  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  `title` varchar(255) NOT NULL,\n  `revision` int NOT NULL,\n  "
     "`body` "
     "mediumtext NOT NULL,\n  `digest` binary(64) NOT NULL,\n  PRIMARY KEY (`id`)\n",
     0.25, 852.1, write_document},
    {"events",
     "  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  `user_id` bigint unsigned NOT NULL,\n  `uuid` char(36) NOT "
     "NULL,\n  "
     "`session` char(22) NOT NULL,\n  `url` varchar(255) NOT NULL,\n  `agent` varchar(255) NOT NULL,\n  `address` int "
     "unsigned NOT NULL,\n  `took_ms` int NOT "
     "NULL,\n  `at` datetime(6) NOT NULL,\n  PRIMARY KEY (`id`),\n  KEY `user` (`user_id`,`at`)\n",
     0.25, 190.7, write_event},
    {"orders",
     "  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  `customer_id` bigint unsigned NOT NULL,\n  `status` "
     "enum('new','paid','shipped','delivered','returned','cancelled') NOT NULL,\n  `total` decimal(10,2) NOT NULL,\n  "
     "`created_at` datetime NOT NULL,\n  `updated_at` datetime NOT NULL,\n  `reference` char(20) NOT NULL,\n  `note` "
     "text,\n  "
     "PRIMARY KEY (`id`),\n  KEY `customer` (`customer_id`)\n",
     0.3, 138.4, write_order},
};

/// The first rows of the changed runs of one table, sorted.
std::vector<uint64_t> run_starts(const SqlOptions& options, const Table& table, uint64_t rows, uint64_t table_number) {
  if (options.change != SqlOptions::Change::runs || rows == 0) return {};
  // A run of r bytes at a random place touches a given chunk with probability (chunk + r) / size.
  const double bytes = static_cast<double>(rows) * table.row_bytes;
  const double run = static_cast<double>(kRunRows) * table.row_bytes;
  const auto runs = static_cast<uint64_t>(std::llround(-std::log(1 - options.share) * bytes / (kChunkBytes + run)));
  Random random(options.seed ^ mix(options.change_seed), 0x72756e73 + table_number);
  std::vector<uint64_t> starts(runs);
  for (auto& start : starts) start = random.below(rows);
  std::sort(starts.begin(), starts.end());
  return starts;
}

void write_table(const SqlOptions& options, size_t table_number, Output& out) {
  const Table& table = kTables[table_number];
  const auto rows = static_cast<uint64_t>(static_cast<double>(options.size) * table.share / table.row_bytes);
  const std::string name = table.name;
  out.write(
      "--\n-- Table structure for table `" + name + "`\n--\n\nDROP TABLE IF EXISTS `" + name +
      "`;\n/*!40101 SET @saved_cs_client     = @@character_set_client */;\n/*!50503 SET character_set_client = utf8mb4 "
      "*/;\nCREATE TABLE `" +
      name + "` (\n" + table.columns +
      ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;\n/*!40101 SET character_set_client = "
      "@saved_cs_client */;\n\n--\n-- Dumping data for table `" +
      name + "`\n--\n\nLOCK TABLES `" + name + "` WRITE;\n/*!40000 ALTER TABLE `" + name + "` DISABLE KEYS */;\n");

  const auto starts = run_starts(options, table, rows, table_number);
  size_t run = 0;
  const uint64_t base = mix(options.seed * 16 + table_number);
  const uint64_t changed_base = mix(base ^ options.change_seed * 0x51ed270b);
  const bool random_changes = options.change == SqlOptions::Change::random;
  Random change_dice(changed_base, 7);
  // By number of rows and not by bytes: otherwise one longer row would move the ends of all later statements.
  const auto statement_rows = static_cast<uint64_t>(kStatementBytes / table.row_bytes);
  for (uint64_t i = 0; i < rows; ++i) {
    while (run < starts.size() && i >= starts[run] + kRunRows) ++run;
    bool changed = run < starts.size() && i >= starts[run];
    if (random_changes) changed = change_dice.chance(options.share);
    Row row{i, Random(base, i), Random(changed ? changed_base : base, ~i)};
    if (i % statement_rows == 0) {
      out.write((i == 0 ? "INSERT INTO `" : ";\nINSERT INTO `") + name + "` VALUES (");
    } else {
      out.text() += ",(";
    }
    append_number(out.text(), i + 1);
    out.text() += ',';
    table.write(out.text(), row);
    out.text() += ')';
    out.settle();
  }
  if (rows > 0) out.write(";\n");
  out.write("/*!40000 ALTER TABLE `" + name + "` ENABLE KEYS */;\nUNLOCK TABLES;\n\n");
}

}  // namespace

void write_sql(const SqlOptions& options, Output& out) {
  out.write(
      "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n"
      "-- ------------------------------------------------------\n-- Server version\t9.7.4\n\n"
      "/*!50503 SET NAMES utf8mb4 */;\n/*!40103 SET TIME_ZONE='+00:00' */;\n"
      "/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\n");
  for (size_t i = 0; i < std::size(kTables); ++i) write_table(options, i, out);
  out.write(
      "/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;\n\n-- Dump completed on 2026-11-21 12:00:00\n");
}

}  // namespace holdfast::bench
