#include "repo/format/timestamp.h"

#include <fmt/format.h>

namespace holdfast::repo {
namespace {

constexpr int64_t kDay = 86400;

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back (Howard Hinnant's algorithms,
// "chrono-Compatible Low-Level Date Algorithms").
int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<int64_t>(day_of_era) - 719468;
}

void civil_from_days(int64_t days, CivilTime& out) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  out.day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  out.month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  out.year = static_cast<int64_t>(year_of_era) + era * 400 + (out.month <= 2);
}

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

// `count` digits at text[at]; -1 if they are not there.
int number(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

int64_t seconds_of(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second) {
  return days_from_civil(year, month, day) * kDay + hour * 3600 + minute * 60 + second;
}

CivilTime civil_time(const Timestamp& time) {
  const int64_t local = time.seconds + time.offset_seconds;
  const int64_t days = floor_div(local, kDay);
  const auto rest = static_cast<unsigned>(local - days * kDay);
  CivilTime civil;
  civil_from_days(days, civil);
  civil.hour = rest / 3600;
  civil.minute = rest / 60 % 60;
  civil.second = rest % 60;
  // The ISO week is the week of its Thursday; 1970-01-01 was a Thursday.
  const int64_t weekday = ((days + 3) % 7 + 7) % 7;  // Monday = 0
  CivilTime thursday;
  civil_from_days(days - weekday + 3, thursday);
  civil.iso_year = thursday.year;
  civil.iso_week = static_cast<unsigned>((days - weekday + 3 - days_from_civil(thursday.year, 1, 1)) / 7 + 1);
  return civil;
}

std::string Timestamp::to_string() const {
  const CivilTime civil = civil_time(*this);
  if (civil.year < 0) return "0000-01-01T00:00:00Z";
  if (civil.year > 9999) return "9999-12-31T23:59:59Z";
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", civil.year, civil.month, civil.day, civil.hour,
                                 civil.minute, civil.second);
  if (nanoseconds != 0) {
    text += fmt::format(".{:09}", nanoseconds);
    while (text.back() == '0') text.pop_back();
  }
  const int32_t minutes = offset_seconds / 60;
  if (minutes == 0) return text + "Z";
  const int32_t distance = minutes < 0 ? -minutes : minutes;
  return text + fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', distance / 60, distance % 60);
}

std::optional<Timestamp> Timestamp::parse(std::string_view text) {
  // 2006-01-02T15:04:05[.fraction](Z|+hh:mm)
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const int year = number(text, 0, 4), month = number(text, 5, 2), day = number(text, 8, 2);
  const int hour = number(text, 11, 2), minute = number(text, 14, 2), second = number(text, 17, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  Timestamp time;
  size_t at = 19;
  if (text[at] == '.') {
    int32_t scale = 100'000'000;
    const size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
      time.nanoseconds += (text[at] - '0') * scale;
    }
    if (at == first) return std::nullopt;
  }
  if (at == text.size()) return std::nullopt;
  if (text[at] == 'Z') {
    if (at + 1 != text.size()) return std::nullopt;
  } else {
    if (at + 6 != text.size() || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':') return std::nullopt;
    const int hours = number(text, at + 1, 2), minutes = number(text, at + 4, 2);
    if (hours < 0 || hours > 24 || minutes < 0 || minutes > 59) return std::nullopt;
    time.offset_seconds = (hours * 3600 + minutes * 60) * (text[at] == '-' ? -1 : 1);
  }
  time.seconds = seconds_of(year, static_cast<unsigned>(month), static_cast<unsigned>(day), static_cast<unsigned>(hour),
                            static_cast<unsigned>(minute), static_cast<unsigned>(second)) -
                 time.offset_seconds;
  return time;
}

}  // namespace holdfast::repo
