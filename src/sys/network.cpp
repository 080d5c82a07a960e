#include "sys/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <system_error>
#include <thread>

#include "base/mutex.h"
#include "sys/file.h"

namespace holdfast::sys {

namespace {

using Clock = std::chrono::steady_clock;

std::string text_of(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address && address->sa_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  if (address && address->sa_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  return text;
}

/// "net:[4026531840]"; "" where it may not be read.
std::string namespace_of(const std::string& process) {
  char text[64];
  const ssize_t n = ::readlink(fmt::format("/proc/{}/ns/net", process).c_str(), text, sizeof text);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : "";
}

}  // namespace

NetworkStack own_network(pid_t server) {
  NetworkStack stack;
  const std::string own = namespace_of("self"), its = server > 0 ? namespace_of(std::to_string(server)) : "";
  if (!its.empty() && its != own) return stack;
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) == 0) stack.hostname = name;
  // A namespace's number is given again after a restart of the machine.
  if (auto run = read_file("/proc/sys/kernel/random/boot_id"); run && !own.empty()) {
    std::string text(as_text(run->span()));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    stack.id = text + " " + own;
  }
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return stack;
  for (const ifaddrs* one = list; one; one = one->ifa_next)
    if (std::string text = text_of(one->ifa_addr); !text.empty()) stack.addresses.push_back(std::move(text));
  ::freeifaddrs(list);
  std::ranges::sort(stack.addresses);
  stack.addresses.erase(std::ranges::unique(stack.addresses).begin(), stack.addresses.end());
  return stack;
}

struct NameLookup::State {
  struct Answer {
    std::vector<std::string> addresses;
    Clock::time_point since;
  };
  const Resolver resolver;
  Mutex mutex;
  std::condition_variable answered;
  std::map<std::string, Answer> known GUARDED_BY(mutex);
  std::set<std::string> asking GUARDED_BY(mutex);

  explicit State(Resolver how) : resolver(std::move(how)) {}
};

NameLookup::NameLookup(Resolver resolver, std::chrono::milliseconds remembered)
    : state_(std::make_shared<State>(std::move(resolver))), remembered_(remembered) {}

NameLookup& NameLookup::shared() {
  static NameLookup lookup;
  return lookup;
}

std::vector<std::string> NameLookup::system_resolver(const std::string& name) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  std::vector<std::string> addresses;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return addresses;
  for (const addrinfo* one = list; one; one = one->ai_next) addresses.push_back(text_of(one->ai_addr));
  ::freeaddrinfo(list);
  return addresses;
}

void NameLookup::ask(const std::set<std::string>& names) {
  for (const auto& name : names) {
    {
      MutexLock lock(state_->mutex);
      const auto known = state_->known.find(name);
      if (known != state_->known.end() && Clock::now() - known->second.since < remembered_) continue;
      if (!state_->asking.insert(name).second) continue;
    }
    const auto run = [state = state_, name] {
      auto addresses = state->resolver(name);
      MutexLock lock(state->mutex);
      state->known[name] = {std::move(addresses), Clock::now()};
      state->asking.erase(name);
      state->answered.notify_all();
    };
    try {
      std::thread(run).detach();
    } catch (const std::system_error&) {  // no thread to be had: not known
      MutexLock lock(state_->mutex);
      state_->asking.erase(name);
    }
  }
}

NameLookup::Answers NameLookup::answers(const std::set<std::string>& names, Deadline deadline) {
  ask(names);
  Answers found;
  MutexLock lock(state_->mutex);
  lock.wait_for(state_->answered, deadline.left(), [&]() REQUIRES(state_->mutex) {
    for (const auto& name : names)
      if (state_->asking.contains(name)) return false;
    return true;
  });
  for (const auto& name : names)
    if (const auto known = state_->known.find(name); known != state_->known.end() && !known->second.addresses.empty())
      found[name] = known->second.addresses;
  return found;
}

}  // namespace holdfast::sys
