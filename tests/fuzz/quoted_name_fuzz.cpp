#include <cstdlib>

#include "codec/go_json.h"
#include "codec/json_reader.h"

// Any bytes survive quoting; any text is either refused or becomes a name that survives it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  std::string name;
  if (!codec::go_unquote(codec::go_quote(bytes), name) || name != bytes) std::abort();
  if (codec::go_unquote(bytes, name)) {
    std::string again;
    if (!codec::go_unquote(codec::go_quote(name), again) || again != name) std::abort();
  }
  std::string json;
  codec::append_json_string(json, codec::go_quote(bytes));
  codec::JsonReader reader(json);
  if (reader.string() != codec::go_quote(bytes) || !reader.finished()) std::abort();
  codec::JsonReader any(bytes);
  any.skip();
  any.finished();
  return 0;
}
