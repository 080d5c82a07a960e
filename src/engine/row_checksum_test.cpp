// What the SQL text must hold; that it tells every change apart on real servers is shown by
// tests/integration/compare_test.
#include "engine/row_checksum.h"

#include <gmock/gmock.h>

namespace holdfast::engine {
namespace {

using cluster::Engine;
using testing::HasSubstr;

TEST(RowChecksum, KeepsEveryDigitAndByte) {
  const std::string digest =
      row_digest(Engine::mariadb, {{"f", "float"}, {"t", "varchar"}, {"b", "longblob"}, {"i", "int"}});
  EXPECT_EQ(digest,
            "MD5(CONCAT_WS(',',IFNULL(`f`+0E0,'~'),IFNULL(HEX(`t`),'~'),IFNULL(MD5(CAST(`b` AS "
            "BINARY)),'~'),IFNULL(`i`,'~')))");
}

TEST(RowChecksum, MySqlHasNoMd5) {
  const std::string list = checksum_list(Engine::mysql, {{"t", "longtext"}, {"j", "json"}});
  EXPECT_EQ(list.find("MD5"), std::string::npos) << list;
  EXPECT_THAT(list, HasSubstr("SHA2(CAST(`t` AS BINARY), 256)"));
}

TEST(RowChecksum, QuotesNamesOfBothDialects) {
  EXPECT_THAT(row_digest(Engine::mysql, {{"a`b", "int"}}), HasSubstr("`a``b`"));
  EXPECT_EQ(row_digest(Engine::postgres, {{"a\"b", ""}, {"c", ""}}), "md5(ROW(\"a\"\"b\",\"c\")::text)");
}

TEST(RowChecksum, TableWithoutColumnsCountsItsRows) {
  EXPECT_THAT(checksum_list(Engine::postgres, {}), HasSubstr("count(*) AS n"));
  EXPECT_EQ(row_digest(Engine::postgres, {}), "MD5('')");
}

}  // namespace
}  // namespace holdfast::engine
