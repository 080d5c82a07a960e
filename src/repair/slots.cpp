#include "repair/slots.h"

#include <cctype>

#include "repair/report_view.h"

namespace holdfast::repair {

using cluster::MemberReport;

std::string usual_slot(const MemberReport& member) {
  std::string slot = name(member);
  for (char& c : slot)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return slot;
}

std::string slot_of(const MemberReport& member) {
  if (member.facts.upstream() && !member.facts.upstream()->slot.empty()) return member.facts.upstream()->slot;
  return usual_slot(member);
}

}  // namespace holdfast::repair
