#include <algorithm>

#include "backup/dump_content.h"
#include "backup/mysql_selection.h"
#include "backup/mysql_statements.h"
#include "engine/mysql_family/statement_head.h"

namespace holdfast::backup {
namespace {

constexpr size_t kHead = 4096;  // names and definers are in it

/// `user`@`host` behind "DEFINER="; "" without one.
std::string definer_of(std::string_view head) {
  constexpr std::string_view kDefiner = "DEFINER=";
  const size_t at = head.find(kDefiner);
  if (at == std::string_view::npos) return "";
  const std::string_view text = head.substr(at + kDefiner.size());
  size_t user = 0, host = 0;
  (void)engine::quoted_name(text, '`', &user);
  if (user == 0) return "";
  if (!text.substr(user).starts_with("@`")) return std::string(text.substr(0, user));  // a role
  (void)engine::quoted_name(text.substr(user + 1), '`', &host);
  return std::string(text.substr(0, user + 1 + host));
}

class Reader : public ContentReader {
 public:
  Reader() : statements_([this](std::string_view text) { return take(text); }) {}
  void feed(std::string_view bytes) override { (void)statements_.feed(bytes); }
  DumpContent content() override { return std::move(content_); }

 private:
  DumpedDatabase* of(const std::string& name) {
    if (name.empty() || is_mysql_system_database(name)) return nullptr;
    const auto found = std::ranges::find(content_.databases, name, &DumpedDatabase::name);
    if (found != content_.databases.end()) return &*found;
    content_.databases.push_back({});
    content_.databases.back().name = name;
    return &content_.databases.back();
  }

  Status take(std::string_view text) {
    const std::string_view head = text.substr(0, kHead);
    const auto kind = engine::statement_head(head);
    if (kind.kind == engine::StatementHead::Kind::use) {
      database_ = kind.name;
      return {};
    }
    if (kind.kind == engine::StatementHead::Kind::database) {
      auto* database = of(kind.name);
      if (database && database->create.empty()) database->create = text.substr(text.find("CREATE "));
      return {};
    }
    if (kind.kind == engine::StatementHead::Kind::other || kind.kind == engine::StatementHead::Kind::set) return {};
    const auto object = engine::statement_object(head);
    auto* database = of(object.database.empty() ? database_ : object.database);
    if (!database) return {};
    database->kinds.insert(object.type);
    if (kind.kind != engine::StatementHead::Kind::table) ++database->others;
    if (auto definer = definer_of(head); !definer.empty()) database->owners.insert(std::move(definer));
    return {};
  }

  MysqlStatements statements_;
  DumpContent content_;
  std::string database_;
};

}  // namespace

std::unique_ptr<ContentReader> mysql_content_reader() {
  return std::make_unique<Reader>();
}

}  // namespace holdfast::backup
