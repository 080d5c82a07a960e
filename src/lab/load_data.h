// Rows of the data set, the same for both families; how they are sent differs (load.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::lab {

/// Deterministic random numbers and texts.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x1234567) {}
  uint64_t next() {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
  bool chance(unsigned percent) { return below(100) < percent; }
  std::string words(size_t about_bytes);
  std::string bytes(size_t count);
  std::string date();
  std::string moment();
  std::string name();

 private:
  uint64_t state_;
};

struct Cell {
  enum class Kind { null, number, text, bytes } kind = Kind::null;
  std::string value;
  static Cell null() { return {}; }
  static Cell number(std::string v) { return {Kind::number, std::move(v)}; }
  static Cell number(uint64_t v) { return {Kind::number, std::to_string(v)}; }
  static Cell text(std::string v) { return {Kind::text, std::move(v)}; }
  static Cell bytes(std::string v) { return {Kind::bytes, std::move(v)}; }
};
using Cells = std::vector<Cell>;

struct TableData {
  std::string_view table;    ///< "shop.customers"
  std::string_view columns;  ///< "id, name, ..."
  unsigned percent;          ///< its share of the bytes asked for; 0 = `fixed_rows`
  uint64_t fixed_rows;
  Cells (*row)(Random&, uint64_t id);
};
/// In an order that keeps foreign keys whole.
const std::vector<TableData>& tables();

}  // namespace holdfast::lab
