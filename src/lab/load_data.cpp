#include "lab/load_data.h"

#include <fmt/format.h>

namespace holdfast::lab {

namespace {

constexpr std::string_view kWords[] = {
    "order",      "shipped",     "Zürich",    "naïve",      "the",       "payment", "of",    "and",    "customer",
    "東京",       "returned",    "invoice",   "please",     "Ärger",     "délai",   "not",   "parcel", "with",
    "a",          "to",          "in",        "credit",     "überall",   "stock",   "price", "refund", "señor",
    "smile😀",    "café",        "warehouse", "is",         "was",       "early",   "late",  "Привет", "don't",
    "\"quoted\"", "back\\slash", "100%",      "semi;colon", "tab\there", "line",    "🚚",    "🎉party"};

constexpr uint64_t kCustomers = 2000, kProducts = 500;

std::string decimal(Random& r, uint64_t limit) {
  return fmt::format("{}.{:02}", r.below(limit), r.below(100));
}

Cells customer(Random& r, uint64_t id) {
  return {Cell::number(id),
          Cell::text(r.name()),
          Cell::text(fmt::format("user{}@example.org", id)),
          Cell::number((r.chance(20) ? "-" : "") + decimal(r, 100000)),
          r.chance(15) ? Cell::null() : Cell::text(r.date()),
          Cell::text(r.chance(70) ? "basic" : "gold"),
          r.chance(50) ? Cell::null() : Cell::text(r.words(120)),
          Cell::text(r.moment())};
}

Cells product(Random& r, uint64_t id) {
  return {Cell::number(id),
          Cell::text(fmt::format("SKU-{:06}", id)),
          Cell::text(r.words(40)),
          Cell::number(decimal(r, 900)),
          Cell::text(fmt::format(R"({{"weight": {}, "color": "{}", "tags": ["a", "b{}"]}})", r.below(5000),
                                 r.chance(50) ? "red" : "grün", id)),
          r.chance(40) ? Cell::null() : Cell::bytes(r.bytes(200 + r.below(2000)))};
}

Cells order(Random& r, uint64_t id) {
  static constexpr const char* kStates[] = {"new", "paid", "shipped", "returned"};
  return {Cell::number(id),
          Cell::number(1 + r.below(kCustomers)),
          Cell::number(1 + r.below(kProducts)),
          Cell::number(1 + r.below(9)),
          Cell::number(decimal(r, 5000)),
          Cell::text(kStates[r.below(4)]),
          Cell::text(r.moment()),
          r.chance(80) ? Cell::null() : Cell::text(r.words(60))};
}

Cells document(Random& r, uint64_t id) {
  return {Cell::number(id), Cell::text(r.words(30)), Cell::text(r.words(500 + r.below(12000))),
          r.chance(60) ? Cell::null() : Cell::bytes(r.bytes(500 + r.below(20000)))};
}

Cells event(Random& r, uint64_t id) {
  static constexpr const char* kLevels[] = {"debug", "info", "warn", "error"};
  return {Cell::number(id), Cell::text(r.moment()), Cell::text(kLevels[r.below(4)]), Cell::text(r.words(80)),
          Cell::number(fmt::format("{:.6f}", static_cast<double>(r.below(1'000'000'000)) / 997.0))};
}

}  // namespace

std::string Random::words(size_t about_bytes) {
  std::string text;
  while (text.size() < about_bytes) {
    if (!text.empty()) text += chance(4) ? "\n" : " ";
    text += kWords[below(std::size(kWords))];
  }
  return text;
}

std::string Random::bytes(size_t count) {
  std::string text(count, '\0');
  for (char& c : text) c = static_cast<char>(next() & 0xff);
  return text;
}

std::string Random::date() {
  return fmt::format("{:04}-{:02}-{:02}", 1940 + below(70), 1 + below(12), 1 + below(28));
}
std::string Random::moment() {
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}", 2018 + below(8), 1 + below(12), 1 + below(28),
                     below(24), below(60), below(60), below(1'000'000));
}
std::string Random::name() {
  static constexpr std::string_view kFirst[] = {"Anna", "Zoë",    "Björn",    "O'Neil",
                                                "王芳", "Łukasz", "Jean-Luc", "Müller"};
  return fmt::format("{} {}", kFirst[below(std::size(kFirst))], kWords[below(std::size(kWords))]);
}

const std::vector<TableData>& tables() {
  static const std::vector<TableData> all = {
      {"shop.customers", "id, name, email, balance, born, tier, notes, created", 0, kCustomers, customer},
      {"shop.products", "id, sku, title, price, attrs, picture", 0, kProducts, product},
      {"shop.orders", "id, customer_id, product_id, quantity, total, status, placed, remark", 35, 0, order},
      {"crm.documents", "id, title, body, attachment", 40, 0, document},
      {"logs.events", "id, at, level, message, value", 25, 0, event},
  };
  return all;
}

}  // namespace holdfast::lab
