// JSON text to Value through nlohmann's SAX parser: iterative, so deep input cannot exhaust the stack.
#include <nlohmann/json.hpp>

#include "codec/value.h"

namespace holdfast::codec {
namespace {

constexpr size_t kMaxBytes = 64 << 20;
constexpr size_t kMaxDepth = 200;

struct Reader : nlohmann::json_sax<nlohmann::json> {
  Value root;
  std::string message;

  bool null() override { return add(Value()); }
  bool boolean(bool flag) override { return add(flag); }
  bool number_integer(number_integer_t number) override { return add(static_cast<int64_t>(number)); }
  bool number_unsigned(number_unsigned_t number) override { return add(static_cast<uint64_t>(number)); }
  bool number_float(number_float_t number, const string_t&) override { return add(number); }
  bool string(string_t& text) override { return add(std::move(text)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Value::object()); }
  bool key(string_t& name) override {
    keys_.back() = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(Value::list()); }
  bool end_array() override { return close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    message = error.what();
    return false;
  }

 private:
  // Containers under construction are held by value and attached when they close: pointers into growing vectors would
  // move.
  std::vector<Value> open_;
  std::vector<std::string> keys_;

  bool add(Value value) {
    if (open_.empty()) {
      root = std::move(value);
    } else if (open_.back().is_list()) {
      open_.back().push(std::move(value));
    } else {
      open_.back().set(keys_.back(), std::move(value));
    }
    return true;
  }
  bool open(Value container) {
    if (open_.size() >= kMaxDepth) {
      message = "nested too deeply";
      return false;
    }
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return add(std::move(done));
  }
};

}  // namespace

Result<Value> parse_value(std::string_view text) {
  if (text.size() > kMaxBytes) return fail(ErrorClass::failed, "codec.json", "JSON text is larger than 64 MiB");
  Reader reader;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader)) {
    return fail(ErrorClass::failed, "codec.json", "not valid JSON: " + reader.message);
  }
  return std::move(reader.root);
}

}  // namespace holdfast::codec
