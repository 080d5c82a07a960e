#include "engine/stored/parts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sys/file.h"

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;

class Parts : public ::testing::Test {
 protected:
  void make(const std::string& file, size_t size = 8192) {
    fs::create_directories(fs::path(dir_.path() + "/" + file).parent_path());
    const sys::Fd fd = sys::open_file(dir_.path() + "/" + file, O_WRONLY | O_CREAT | O_TRUNC, 0600).value();
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
  }
  void make_postgres() {
    for (const char* file :
         {"PG_VERSION", "base/1/1259", "global/pg_control", "global/pg_filenode.map", "pg_xact/0000"})
      make(file);
    for (const char* folder :
         {"pg_wal", "pg_multixact/members", "pg_multixact/offsets", "pg_subtrans", "pg_notify", "pg_tblspc",
          "pg_twophase", "pg_replslot", "pg_logical/snapshots", "pg_logical/mappings"})
      fs::create_directories(dir_.path() + "/" + folder);
  }
  std::vector<std::string> missing(Engine engine, pid_t pid = -1) { return missing_parts(engine, dir_.path(), pid); }
  void remove(const std::string& part) { fs::remove_all(dir_.path() + "/" + part); }

  sys::TempDir dir_ = std::move(*sys::TempDir::create("parts"));
  using List = std::vector<std::string>;
};

TEST_F(Parts, OfPostgres) {
  EXPECT_EQ(missing(Engine::postgres), List()) << "empty: data-missing says so";
  make_postgres();
  EXPECT_EQ(missing(Engine::postgres), List());
  make("global/pg_control", 0);
  EXPECT_EQ(missing(Engine::postgres), List({"global/pg_control"}));
  make("global/pg_control");
  remove("pg_xact/0000");
  EXPECT_EQ(missing(Engine::postgres), List({"pg_xact/*"}));
  remove("pg_xact");
  remove("PG_VERSION");
  EXPECT_EQ(missing(Engine::postgres), List({"PG_VERSION", "pg_xact"}));
}

TEST_F(Parts, OfARunningServerWhoseDirectoryIsGone) {
  EXPECT_FALSE(missing(Engine::postgres, ::getpid()).empty());
}

TEST_F(Parts, OfInnodb) {
  for (const char* file : {"ibdata1", "mysql/user.frm", "ib_logfile0", "undo_001", "undo_002"}) make(file);
  EXPECT_EQ(missing(Engine::mysql), List({"mysql.ibd"}));
  EXPECT_EQ(missing(Engine::mariadb), List({"aria_log_control"}));
  make("aria_log_control");
  EXPECT_EQ(missing(Engine::mariadb), List());
  remove("ib_logfile0");
  EXPECT_EQ(missing(Engine::galera), List({"ib_logfile0"}));
  make("mysql.ibd");
  EXPECT_EQ(missing(Engine::mysql), List({"#innodb_redo"}));
  make("#innodb_redo/#ib_redo1");
  EXPECT_EQ(missing(Engine::mysql), List());
  EXPECT_EQ(missing(Engine::mysql, ::getpid()), List({"auto.cnf"}));
  remove("undo_001");
  EXPECT_EQ(missing(Engine::mysql), List({"undo_001"}));
}

TEST_F(Parts, OfBinaryLogs) {
  for (const char* file : {"ibdata1", "mysql/user.frm", "ib_logfile0", "aria_log_control", "notes.000001"}) make(file);
  for (const char* file : {"binlog.000001", "binlog.000002", "m-relay-bin.000001"})
    std::ofstream(dir_.path() + "/" + file) << "\xfe"
                                               "bin and more";
  EXPECT_EQ(missing(Engine::mariadb), List({"binlog.index"})) << "notes are no log, and relay logs are not kept";
  make("binlog.index");
  EXPECT_EQ(missing(Engine::mariadb), List());
}

TEST_F(Parts, DeletedAndStillOpen) {
  for (const char* file : {"ibdata1", "mysql/user.frm", "ib_logfile0", "aria_log_control", "binlog.index", "#sql-1.ibd",
                           "r-relay-bin.index"})
    make(file);
  std::vector<sys::Fd> open;
  for (const char* file : {"binlog.index", "#sql-1.ibd", "r-relay-bin.index"}) {
    open.push_back(sys::open_file(dir_.path() + "/" + file, O_RDONLY).value());
    remove(file);
  }
  EXPECT_EQ(missing(Engine::mariadb, ::getpid()), List({"binlog.index"}));
  make("binlog.index");
  EXPECT_EQ(missing(Engine::mariadb, ::getpid()), List()) << "another one is in its place";
}

}  // namespace
}  // namespace holdfast::engine
