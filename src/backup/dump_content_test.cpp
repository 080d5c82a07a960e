#include "backup/dump_content.h"

#include <gtest/gtest.h>

#include "backup/postgres_selection.h"

namespace holdfast::backup {
namespace {

// In pieces, as a repository hands them out.
DumpContent read(std::unique_ptr<ContentReader> reader, std::string_view dump) {
  for (; !dump.empty(); dump.remove_prefix(std::min<size_t>(7, dump.size()))) reader->feed(dump.substr(0, 7));
  return reader->content();
}

TEST(DumpContent, OfMysqlNamesDatabasesOfUsersAndTheirDefiners) {
  const auto content = read(mysql_content_reader(), R"(
CREATE SCHEMA IF NOT EXISTS `erp` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE OR REPLACE SEQUENCE `erp`.`s`;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `erp` /*!40100 DEFAULT CHARACTER SET latin1 */;
USE `erp`;
CREATE TABLE `t` (i INT);
INSERT INTO `t` VALUES (1),(2);
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`app`@`10.%` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select 'DEFINER=`x`@`y`' */;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER g BEFORE INSERT ON `t` FOR EACH ROW SET @a=1 */;;
DELIMITER ;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `empty`;
USE `empty`;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mysql`;
USE `mysql`;
CREATE TABLE `user` (i INT);
)");
  ASSERT_EQ(content.databases.size(), 2u);
  const auto& erp = content.databases[0];
  EXPECT_EQ(erp.name, "erp");
  EXPECT_EQ(erp.create, "CREATE SCHEMA IF NOT EXISTS `erp` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  EXPECT_EQ(erp.owners, (std::set<std::string>{"`app`@`10.%`", "`root`@`localhost`"}));
  EXPECT_TRUE(erp.kinds.contains("TRIGGER"));
  EXPECT_EQ(erp.others, 3u) << "sequence, view, trigger";
  EXPECT_EQ(content.databases[1].name, "empty");
  EXPECT_EQ(content.find("mysql"), nullptr);
}

TEST(DumpContent, OfPostgresNamesRolesAndWhatIsAboutTheDatabaseItself) {
  const auto content = read(postgres_content_reader(), R"(
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM';
CREATE ROLE "Read Only";
ALTER ROLE "Read Only" WITH NOLOGIN;
ALTER ROLE app SET search_path TO 'x';
\connect postgres
CREATE DATABASE erp WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';
ALTER DATABASE erp OWNER TO app;
\connect erp
COMMENT ON DATABASE erp IS 'of "the" shop';
ALTER DATABASE erp SET work_mem TO '8MB';
ALTER ROLE tuned IN DATABASE erp SET work_mem TO '9MB';
\connect erp
CREATE TABLE public.t (a text DEFAULT 'ALTER DATABASE erp OWNER TO evil;');
ALTER TABLE public.t OWNER TO keeper;
CREATE VIEW public.v AS SELECT 1;
COPY public.t (a) FROM stdin;
GRANT ALL ON DATABASE erp TO nobody;
\.
GRANT SELECT ON TABLE public.t TO "Read Only" WITH GRANT OPTION;
REVOKE ALL ON DATABASE erp FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE owner2 IN SCHEMA public GRANT SELECT ON TABLES TO reader2;
\connect postgres
\connect postgres
CREATE TABLE public.own (a int);
)");
  ASSERT_EQ(content.databases.size(), 1u);
  const auto& erp = content.databases[0];
  EXPECT_EQ(erp.owner, "app");
  EXPECT_EQ(erp.owners, (std::set<std::string>{"app", "keeper", "owner2"}));
  EXPECT_EQ(erp.roles, (std::set<std::string>{"Read Only", "reader2", "tuned"}));
  EXPECT_EQ(erp.others, 1u);
  ASSERT_EQ(erp.properties.size(), 4u);
  EXPECT_EQ(erp.properties[0], "COMMENT ON DATABASE erp IS 'of \"the\" shop';");
  EXPECT_EQ(erp.properties[3], "REVOKE ALL ON DATABASE erp FROM PUBLIC;");
  EXPECT_EQ(with_database_name(erp.create, "holdfast_restore_1"),
            "CREATE DATABASE \"holdfast_restore_1\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc "
            "LOCALE = 'C'");
  EXPECT_TRUE(content.roles.at("app"));
  EXPECT_FALSE(content.roles.at("Read Only"));
}

TEST(DumpContent, StatementsAboutDatabasesAreKnownByTheirForm) {
  EXPECT_EQ(database_of_statement("GRANT CREATE ON DATABASE \"a \"\"b\" TO x;"), "a \"b");
  EXPECT_EQ(database_of_statement("SECURITY LABEL FOR p ON DATABASE erp IS 'x';"), "erp");
  EXPECT_EQ(database_of_statement("GRANT SELECT ON TABLE \" ON DATABASE x\" TO y;"), std::nullopt);
  EXPECT_EQ(database_of_statement("COMMENT ON TABLE t IS 'ALTER DATABASE x';"), std::nullopt);
  EXPECT_EQ(database_of_statement("ALTER ROLE r SET work_mem TO ' IN DATABASE x';"), std::nullopt);
}

}  // namespace
}  // namespace holdfast::backup
