// Records added up: which sequences make sense, and where they leave an operation.
#include "operation/state.h"

#include <gtest/gtest.h>

namespace holdfast::operation {
namespace {

using enum RecordType;
using codec::Value;

struct Entry {
  RecordType type;
  std::string step;
  Value data;
};

Plan plan() {
  Plan made{.verb = "repair", .cluster = "shop/db", .created = "now"};
  for (const char* id : {"a", "b", "c"}) {
    Step step;
    step.id = id;
    step.kind = step.title = step.undo = "x";
    made.steps.push_back(step);
  }
  made.steps[1].point_of_no_return = true;
  made.world = Value::object();
  return made;
}

Result<OperationState> state(const std::vector<Entry>& entries) {
  std::vector<Record> records;
  for (const auto& entry : entries)
    records.push_back({records.size() + 1, "t", entry.type, entry.step, entry.data, {}});
  return operation_state(plan(), records);
}

TEST(State, sequences_that_make_sense) {
  const Entry begin{begun, "", Value::object({{"epoch", 4}})};
  const Value nothing = Value::object({{"reached", "nothing"}});
  struct Row {
    std::vector<Entry> entries;
    Phase phase;
    int current;  ///< -1 = none
    bool past;
  };
  const std::vector<Row> rows = {
      {{begin}, Phase::forward, 0, false},
      {{begin, {step_started, "a"}}, Phase::forward, 0, false},
      {{begin, {step_started, "a"}, {step_done, "a"}}, Phase::forward, 1, false},
      {{begin, {step_started, "a"}, {step_done, "a"}, {step_started, "b"}}, Phase::forward, 1, true},
      {{begin, {step_started, "a"}, {step_done, "a"}, {step_started, "b"}, {step_failed, "b"}},
       Phase::forward,
       1,
       true},
      {{begin, {step_started, "a"}, {step_done, "a"}, {step_started, "b"}, {step_failed, "b", nothing}},
       Phase::forward,
       1,
       false},
      {{begin,
        {step_started, "a"},
        {step_done, "a"},
        {step_started, "b"},
        {step_failed, "b", nothing},
        {step_started, "b"}},
       Phase::forward,
       1,
       true},
      {{begin,
        {step_started, "a"},
        {step_done, "a"},
        {step_started, "b"},
        {step_failed, "b", nothing},
        {undo_begun, ""}},
       Phase::back,
       0,
       false},
      {{begin, {step_started, "a"}, {undo_begun, ""}, {step_undo_started, "a"}}, Phase::back, 0, false},
      {{begin, {step_started, "a"}, {undo_begun, ""}, {step_undo_started, "a"}, {step_undone, "a"}},
       Phase::back,
       -1,
       false},
      {{begin, {step_started, "a"}, {undo_begun, ""}, {step_undo_started, "a"}, {step_undone, "a"}, {failed, ""}},
       Phase::failed,
       -1,
       false},
      {{begin, {undo_begun, ""}, {undone, ""}}, Phase::undone, -1, false},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto made = state(rows[i].entries);
    ASSERT_TRUE(made) << i << ": " << made.error().to_string();
    EXPECT_EQ(made->phase, rows[i].phase) << i;
    EXPECT_EQ(made->current() ? static_cast<int>(*made->current()) : -1, rows[i].current) << i;
    EXPECT_EQ(made->past_no_return(plan()), rows[i].past) << i;
    EXPECT_EQ(made->epoch, 4u) << i;
  }
}

TEST(State, sequences_that_make_none) {
  const Entry begin{begun, "", {}};
  const std::vector<std::vector<Entry>> rows = {
      {{step_started, "a"}},
      {begin, begin},
      {begin, {step_started, "z"}},
      {begin, {step_started, ""}},
      {begin, {done, "a"}},
      {begin, {step_done, "a"}},
      {begin, {step_failed, "a"}},
      {begin, {step_started, "a"}, {step_done, "a"}, {step_started, "a"}},
      {begin, {step_undo_started, "a"}},
      {begin, {undo_begun, ""}, {step_undo_started, "a"}},
      {begin, {undo_begun, ""}, {step_started, "a"}},
      {begin, {step_started, "a"}, {step_done, "a"}, {step_started, "b"}, {undo_begun, ""}},
      {begin, {done, ""}, {step_started, "a"}},
      {begin, {done, ""}, {done, ""}},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto made = state(rows[i]);
    ASSERT_FALSE(made) << i;
    EXPECT_EQ(made.error().id, "operation.journal_damaged") << i;
  }
}

TEST(State, a_second_try_keeps_what_the_first_one_found) {
  const auto made = state({{begun, "", {}},
                           {step_started, "a", Value("running")},
                           {step_progress, "a", Value("half")},
                           {step_started, "a", Value("stopped")},
                           {step_done, "a", Value(7)}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->steps[0].before.text(), "running");
  EXPECT_EQ(made->steps[0].progress.text(), "half");
  EXPECT_EQ(made->steps[0].result->integer(), 7);
  EXPECT_EQ(made->begun(plan()), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace holdfast::operation
