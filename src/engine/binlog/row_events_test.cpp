#include "engine/binlog/row_events.h"

#include <gtest/gtest.h>

#include "engine/adopt.h"

namespace holdfast::engine::binlog {
namespace {

std::string number(uint64_t value, size_t width) {
  std::string text;
  for (size_t i = 0; i < width; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// shop.t (id INT, name VARCHAR(10), amount DECIMAL(5,2), at TIME(2))
std::string table_map() {
  return number(7, 6) + number(1, 2) + "\x04shop" + std::string(1, '\0') + "\x01t" + std::string(1, '\0') + "\x04" +
         "\x03\x0f\xf6\x13" + "\x05" + number(10, 2) + "\x05\x02" + "\x02" + "\x0f";
}

std::string rows_head(uint64_t flags) {
  return number(7, 6) + number(flags, 2) + number(2, 2) + "\x04";
}

/// -5, 'ab', -12.50, '-00:00:01.50'
std::string row() {
  std::string time("\x7f\xff\xfe\xce", 4);
  return std::string(1, '\0') + number(static_cast<uint32_t>(-5), 4) +
         "\x02"
         "ab" +
         "\x7f\xf3\xcd" + time;
}

Format mysql() {
  return {};
}

TableMap map() {
  auto parsed = parse_whole_table_map(mysql(), as_bytes(table_map()));
  EXPECT_TRUE(parsed);
  return parsed.value_or(TableMap());
}

TEST(RowEvents, BecomeConditionsThatAreTrueOfTheirRowsAlone) {
  const auto event = parse_rows_event(mysql(), kUpdateRows, as_bytes(rows_head(1) + "\x0f\x0f" + row() + row()), map());
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_TRUE(event->ends_statement);
  EXPECT_FALSE(event->unchecked);
  ASSERT_EQ(event->changes.size(), 1u);
  ASSERT_TRUE(event->changes[0].before && event->changes[0].after);
  const std::vector<TableColumn> columns = {{"id", "int", "int", "", true},
                                            {"name", "varchar(10)", "varchar", "utf8mb4", false},
                                            {"amount", "decimal(5,2)", "decimal", "", false},
                                            {"at", "time(2)", "time", "", false}};
  EXPECT_EQ(condition_of(columns, *event->changes[0].before),
            "`id` = -5 AND `name` = _utf8mb4 x'6162' AND CAST(`name` AS BINARY) = x'6162' AND `amount` = -012.50 AND "
            "`at` = '-00:00:01.50'");
  EXPECT_EQ(key_text(columns, *event->changes[0].before), "id = -5");
}

TEST(RowEvents, SayWhatIsNotWhole) {
  const auto partial =
      parse_rows_event(mysql(), kUpdateRows, as_bytes(rows_head(1) + "\x01\x0f" + number(0, 5) + row()), map());
  ASSERT_FALSE(partial);
  EXPECT_NE(partial.error().message.find("binlog_row_image"), std::string::npos);
  const auto unchecked = parse_rows_event(mysql(), kWriteRows, as_bytes(rows_head(3) + "\x0f" + row()), map());
  ASSERT_TRUE(unchecked);
  EXPECT_TRUE(unchecked->unchecked) << "foreign_key_checks = 0";
}

TEST(RowEvents, CutAnywhereGiveNoRow) {
  const std::string head = rows_head(1) + "\x0f", whole = head + row();
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto event =
        parse_rows_event(mysql(), kWriteRows, as_bytes(std::string_view(whole).substr(0, length)), map());
    EXPECT_TRUE(!event || (length == head.size() && event->changes.empty())) << length;
  }
  const std::string whole_map = table_map();
  for (size_t length = 0; length < whole_map.size(); ++length)
    EXPECT_FALSE(parse_whole_table_map(mysql(), as_bytes(std::string_view(whole_map).substr(0, length)))) << length;
}

}  // namespace
}  // namespace holdfast::engine::binlog
