#include "position/galera.h"

#include <fmt/format.h>

#include "position/scanner.h"

namespace holdfast::position {

std::string_view galera_source_name(GaleraSource source) {
  switch (source) {
    case GaleraSource::live:
      return "live";
    case GaleraSource::grastate:
      return "grastate";
    case GaleraSource::recovered:
      return "recovered";
    case GaleraSource::gcache:
      return "gcache";
    case GaleraSource::log:
      return "log";
  }
  return "?";
}

Result<GaleraPosition> GaleraPosition::parse(std::string_view text, GaleraSource source) {
  Scanner scanner(text, "Galera position");
  GaleraPosition position;
  position.source = source;
  scanner.skip_space();
  position.uuid = TRY(Uuid::scan(scanner));
  if (!scanner.take(':')) return scanner.error("expected ':' and a sequence number");
  const Scanner before = scanner;
  const bool negative = scanner.take('-');
  const uint64_t number = TRY(scanner.number("a sequence number", 0, INT64_MAX));
  if (negative && number != 1) return before.error("a sequence number must be -1 or more");
  position.seqno = negative ? -1 : static_cast<int64_t>(number);
  scanner.skip_space();
  if (!scanner.at_end()) return scanner.error("nothing may follow");
  return position;
}

std::string GaleraPosition::to_string() const {
  return fmt::format("{}:{}", uuid.to_string(), seqno);
}

bool GaleraPosition::proves() const {
  return defined() &&
         (source == GaleraSource::live || source == GaleraSource::grastate || source == GaleraSource::recovered);
}

Order compare(const GaleraPosition& a, const GaleraPosition& b) {
  if (!a.defined() || !b.defined() || a.uuid != b.uuid) return Order::incomparable;
  return order_of(a.seqno > b.seqno, b.seqno > a.seqno);
}

}  // namespace holdfast::position
