#include "tests/operation/toy.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "operation/file_store.h"
#include "sys/file.h"
#include "sys/write_at.h"

namespace holdfast::test {

using codec::Value;
using operation::HowFar;
using operation::Reached;
using operation::Step;
using operation::StepScope;

namespace {

const std::vector<std::string> kParts = {"new ", "data ", "of m1"};

std::optional<std::string> content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Value as_value(const std::optional<std::string>& text) {
  return text ? Value(*text) : Value();
}

Status move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(sys::errno_error(errno, "rename " + from));
  return sys::sync_directory(std::filesystem::path(to).parent_path());
}

Status remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(sys::errno_error(errno, "unlink " + path));
  return sys::sync_directory(std::filesystem::path(path).parent_path());
}

class ToyHandler : public operation::StepHandler {
 public:
  ToyHandler(std::string root, Points points, ToyFaults faults)
      : world_(std::move(root) + "/world/"), points_(std::move(points)), faults_(std::move(faults)) {}

  Result<Value> look_before(StepScope& scope) override {
    return around(scope, "look_before", [&]() -> Result<Value> { return look(scope); });
  }
  Result<Value> run(StepScope& scope, const Value& before) override {
    return around(scope, "run", [&]() -> Result<Value> {
      if (scope.stop().stop_requested()) return fail(ErrorClass::interrupted, "toy.stopped", "stopped before it acted");
      return act(scope, before);
    });
  }
  Status prove(StepScope& scope, const Value& before, const Value& result) override {
    return around(scope, "prove", [&]() -> Status { return check(scope, before, result); });
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    return around(scope, "undo", [&]() -> Status {
      if (scope.step().id == faults_.fail_undo) return fail(ErrorClass::failed, "toy.undo", "the toy cannot undo this");
      return restore(scope, before);
    });
  }
  Result<HowFar> how_far(StepScope& scope, const Value& before) override {
    return around(scope, "how_far", [&]() -> Result<HowFar> {
      if (scope.step().id == faults_.blind) return fail(ErrorClass::unavailable, "toy.blind", "m1 does not answer");
      return reached(scope, before);
    });
  }

 protected:
  virtual Value look(StepScope& scope) = 0;
  virtual Result<Value> act(StepScope& scope, const Value& before) = 0;
  virtual Status check(StepScope& scope, const Value& before, const Value& result) = 0;
  virtual Status restore(StepScope& scope, const Value& before) = 0;
  virtual HowFar reached(StepScope& scope, const Value& before) = 0;

  void point(StepScope& scope, const std::string& where) {
    if (points_) points_(scope.step().id + " " + where);
  }
  /// The middle of the action, where a failing step fails.
  Status middle(StepScope& scope) {
    point(scope, "middle");
    if (scope.step().id == faults_.fail_step) return fail(ErrorClass::failed, "toy.broken", "the toy broke");
    return {};
  }
  std::string path(const std::string& name) const { return world_ + name; }

 private:
  template <class Call>
  auto around(StepScope& scope, const std::string& what, Call call) -> decltype(call()) {
    point(scope, what + " begins");
    auto result = call();
    point(scope, what + " ends");
    return result;
  }
  std::string world_;
  Points points_;
  ToyFaults faults_;
};

/// A file gets a content: {file, value}, or {file, from: step} for the content that step found.
class SetFile : public ToyHandler {
  using ToyHandler::ToyHandler;
  std::string file(StepScope& scope) { return path(scope.step().arguments["file"].text()); }
  Value wanted(StepScope& scope) {
    const Value& from = scope.step().arguments["from"];
    return from.is_text() ? scope.result_of(from.text())["was"] : scope.step().arguments["value"];
  }
  Value look(StepScope& scope) override { return as_value(content(file(scope))); }
  Result<Value> act(StepScope& scope, const Value& before) override {
    TRY_VOID(middle(scope));
    TRY_VOID(sys::publish_file(file(scope), as_bytes(wanted(scope).text()), 0600));
    return Value::object({{"was", before}, {"is", wanted(scope)}});
  }
  Status check(StepScope& scope, const Value&, const Value&) override {
    if (look(scope) == wanted(scope)) return {};
    return fail(ErrorClass::verification_failed, "toy.proof", "the file does not say so");
  }
  Status still_so(StepScope& scope, const Value& before, const Value& result) override {
    bool written_later = false, later = false;
    for (const Step& step : scope.plan().steps) {
      written_later |= later && step.arguments["file"] == scope.step().arguments["file"];
      later |= step.id == scope.step().id;
    }
    return written_later ? Status() : check(scope, before, result);
  }
  Status restore(StepScope& scope, const Value& before) override {
    if (look(scope) == before) return {};
    if (before.is_null()) return remove(file(scope));
    return sys::publish_file(file(scope), as_bytes(before.text()), 0600);
  }
  HowFar reached(StepScope& scope, const Value& before) override {
    const Value now = look(scope);
    if (now == wanted(scope)) return {Reached::everything, Value::object({{"was", before}, {"is", now}})};
    return {now == before ? Reached::nothing : Reached::part, {}};
  }
};

/// New data beside the old, part by part; its name is written down before it is made.
class CopyData : public ToyHandler {
  using ToyHandler::ToyHandler;
  static std::string whole() { return kParts[0] + kParts[1] + kParts[2]; }
  Value look(StepScope&) override { return Value::object(); }
  Result<Value> act(StepScope& scope, const Value&) override {
    if (scope.progress().is_null()) TRY_VOID(scope.record(Value::object({{"name", "m1.new-" + scope.operation()}})));
    const std::string name = scope.progress()["name"].text();
    sys::Fd fd = TRY(sys::open_file(path(name), O_WRONLY | O_CREAT | O_TRUNC));
    uint64_t at = 0;
    for (const auto& part : kParts) {
      TRY_VOID(sys::write_at(fd.get(), as_bytes(part), at));
      at += part.size();
      TRY_VOID(middle(scope));
    }
    if (::fsync(fd.get()) != 0) return fail(sys::errno_error(errno, "fsync"));
    TRY_VOID(sys::sync_directory(path("")));
    return Value::object({{"name", name}});
  }
  Status check(StepScope&, const Value&, const Value& result) override {
    if (content(path(result["name"].text())) == whole()) return {};
    return fail(ErrorClass::verification_failed, "toy.proof", "the copy is not whole");
  }
  Status restore(StepScope& scope, const Value&) override {
    if (scope.progress().is_null()) return {};
    return remove(path(scope.progress()["name"].text()));
  }
  HowFar reached(StepScope& scope, const Value&) override {
    if (scope.progress().is_null()) return {Reached::nothing, {}};
    return {Reached::part, {}};  // bytes in memory may look whole and not be durable: copied again
  }
};

/// m1.data -> m1.old, the copy -> m1.data.
class SwapData : public ToyHandler {
  using ToyHandler::ToyHandler;
  std::string copy(StepScope& scope) { return path(scope.result_of("copy-m1")["name"].text()); }
  Value look(StepScope&) override { return Value::object(); }
  Result<Value> act(StepScope& scope, const Value&) override {
    if (content(path("m1.data")) && !content(path("m1.old"))) TRY_VOID(move(path("m1.data"), path("m1.old")));
    TRY_VOID(middle(scope));
    if (!content(path("m1.data"))) TRY_VOID(move(copy(scope), path("m1.data")));
    return Value::object();
  }
  Status check(StepScope&, const Value&, const Value&) override {
    if (content(path("m1.old")) && content(path("m1.data"))) return {};
    return fail(ErrorClass::verification_failed, "toy.proof", "not both are there");
  }
  Status restore(StepScope& scope, const Value&) override {
    if (!content(path("m1.old"))) return {};
    if (content(path("m1.data"))) TRY_VOID(move(path("m1.data"), copy(scope)));
    return move(path("m1.old"), path("m1.data"));
  }
  HowFar reached(StepScope&, const Value&) override {
    if (!content(path("m1.old"))) return {Reached::nothing, {}};
    if (!content(path("m1.data"))) return {Reached::part, {}};
    return {Reached::everything, Value::object()};
  }
};

class RemoveOld : public ToyHandler {
  using ToyHandler::ToyHandler;
  Value look(StepScope&) override { return Value::object(); }
  Result<Value> act(StepScope& scope, const Value&) override {
    if (scope.step().arguments["failsFirst"].boolean()) TRY_VOID(middle(scope));
    TRY_VOID(remove(path("m1.old")));
    if (!scope.step().arguments["failsFirst"].boolean()) TRY_VOID(middle(scope));
    return Value::object();
  }
  Status check(StepScope&, const Value&, const Value&) override {
    if (!content(path("m1.old"))) return {};
    return fail(ErrorClass::verification_failed, "toy.proof", "it is still there");
  }
  Status restore(StepScope&, const Value&) override {
    return fail(ErrorClass::bug, "toy.undo", "somebody asked to undo what cannot be undone");
  }
  HowFar reached(StepScope&, const Value&) override {
    if (content(path("m1.old"))) return {Reached::nothing, {}};
    return {Reached::everything, Value::object()};
  }
};

}  // namespace

operation::Plan toy_plan(const std::string& root) {
  const auto set = [](std::string id, std::string file, const char* value, std::string title, std::string undo) {
    Step step;
    step.id = std::move(id);
    step.kind = "set_file";
    step.member = "m1";
    step.title = std::move(title);
    step.arguments = Value::object({{"file", file}, {"value", value}});
    step.undo = std::move(undo);
    step.expected_seconds = 1;
    step.proof = "the file says so";
    step.touches = {"members/m1/" + file};
    return step;
  };
  operation::Plan plan;
  plan.verb = "rebuild";
  plan.cluster = "toys/shop";
  plan.created = "2026-11-21T21:30:18Z";
  plan.steps.push_back(set("fence-m1", "fence", "on", "Fence m1", "Fence it no more, unless it was fenced before"));
  plan.steps.push_back(
      set("stop-m1", "m1.state", "stopped", "Stop m1", "Start it again, unless it was stopped before"));
  plan.steps.push_back({"copy-m1",
                        "copy_data",
                        "m1",
                        "Copy new data beside the old",
                        Value::object(),
                        {"there is space"},
                        "Remove the copy",
                        false,
                        60,
                        "the copy is whole",
                        {}});
  plan.steps.push_back({"swap-m1",
                        "swap_data",
                        "m1",
                        "Put the copy in the place of the old data",
                        Value::object(),
                        {},
                        "Put the old data back",
                        false,
                        1,
                        "both are there",
                        {"members/m1/m1.data"}});
  plan.steps.push_back(
      {"remove-m1", "remove_old", "m1", "Remove the old data", Value::object(), {}, "", true, 1, "it is gone", {}});
  plan.steps.push_back(set("start-m1", "m1.state", "running", "Start m1", ""));
  plan.steps.push_back(set("unfence-m1", "fence", "", "Put the fence of m1 back to what it was", ""));
  plan.steps.back().arguments = Value::object({{"file", "fence"}, {"from", "fence-m1"}});
  plan.losses.push_back({"the old data of m1", "discard-diverged:m1"});
  plan.world = toy_world(root);
  return plan;
}

operation::HandlerMap toy_handlers(const std::string& root, const Points& points, const ToyFaults& faults) {
  return {{"set_file", std::make_shared<SetFile>(root, points, faults)},
          {"copy_data", std::make_shared<CopyData>(root, points, faults)},
          {"swap_data", std::make_shared<SwapData>(root, points, faults)},
          {"remove_old", std::make_shared<RemoveOld>(root, points, faults)}};
}

Value toy_world(const std::string& root) {
  Value m1 = Value::object();
  for (const char* name : {"fence", "m1.state", "m1.data"}) m1.set(name, as_value(content(root + "/world/" + name)));
  return Value::object({{"members", Value::object({{"m1", m1}})}});
}

void make_toy(const std::string& root, bool stopped, bool fenced) {
  std::filesystem::create_directories(root + "/world");
  std::filesystem::create_directories(root + "/state");
  std::ofstream(root + "/world/m1.state") << (stopped ? "stopped" : "running");
  std::ofstream(root + "/world/fence") << (fenced ? "on" : "off");
  std::ofstream(root + "/world/m1.data") << "old data";
}

std::map<std::string, std::string> toy_files(const std::string& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/world")) {
    const std::string name = entry.path().filename();
    if (name.find("-tmp-") != std::string::npos) continue;  // publish_file() was cut off; nobody reads these
    files[name] = content(entry.path()).value_or("?");
  }
  return files;
}

std::map<std::string, std::string> toy_goal(const std::map<std::string, std::string>& start) {
  auto goal = start;
  goal["m1.data"] = kParts[0] + kParts[1] + kParts[2];
  goal["m1.state"] = "running";
  return goal;
}

operation::ExecutorOptions toy_options(const std::string& root, const Points& points, const ToyFaults& faults) {
  operation::ExecutorOptions options;
  options.store = std::make_shared<operation::FileOperationStore>(root + "/state");
  options.handlers = toy_handlers(root, points, faults);
  options.world_now = [root]() -> Result<Value> { return toy_world(root); };
  if (points) {
    options.on_event = [points](const operation::Event& event) {
      points(std::string(operation::record_type_name(event.type)) + " " + (event.step ? event.step->id : ""));
    };
  }
  return options;
}

}  // namespace holdfast::test
