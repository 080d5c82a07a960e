// Plans as documents.
#include <fmt/format.h>

#include "codec/hex.h"
#include "crypto/sha256.h"
#include "operation/fields.h"
#include "operation/plan.h"

namespace holdfast::operation {

using codec::Value;

namespace {

constexpr std::string_view kSchema = "holdfast.dev/plan/v1";

Value step_value(const Step& step) {
  return Value::object({{"id", step.id},
                        {"kind", step.kind},
                        {"member", step.member},
                        {"title", step.title},
                        {"arguments", step.arguments},
                        {"preconditions", Value::list_of(step.preconditions)},
                        {"undo", step.undo},
                        {"pointOfNoReturn", step.point_of_no_return},
                        {"expectedSeconds", step.expected_seconds},
                        {"proof", step.proof},
                        {"touches", Value::list_of(step.touches)}});
}

Result<Step> parse_step(const Value& document) {
  Fields fields(document, "step");
  Step step;
  step.id = fields.text("id");
  step.kind = fields.text("kind");
  step.member = fields.text("member");
  step.title = fields.text("title");
  step.arguments = fields.any("arguments");
  step.preconditions = fields.texts("preconditions");
  step.undo = fields.text("undo");
  step.point_of_no_return = fields.boolean("pointOfNoReturn");
  step.expected_seconds = fields.number("expectedSeconds");
  step.proof = fields.text("proof");
  step.touches = fields.texts("touches");
  TRY_VOID(fields.end());
  return step;
}

Result<Plan> parse(const Value& document) {
  Fields fields(document, "plan");
  Plan plan;
  const std::string schema = fields.text("schema");
  plan.verb = fields.text("verb");
  plan.cluster = fields.text("cluster");
  plan.cluster_uid = fields.text_if_there("clusterUid");
  plan.created = fields.text("created");
  const std::string hash = fields.text("hash");
  for (const Value& step : fields.list("steps")) plan.steps.push_back(TRY(parse_step(step)));
  for (const Value& item : fields.list("losses")) {
    Fields loss(item, "loss");
    plan.losses.push_back({loss.text("what"), loss.text("acceptance")});
    TRY_VOID(loss.end());
  }
  plan.world = fields.any("world");
  TRY_VOID(fields.end());
  if (schema != kSchema)
    return fail(ErrorClass::failed, "operation.schema",
                fmt::format("it is of schema '{}', this program reads {}", schema, kSchema));
  TRY_VOID(check_plan(plan));
  if (plan_hash(plan) != hash)
    return fail(ErrorClass::failed, "operation.hash", "its content is not what its hash was made from");
  return plan;
}

}  // namespace

Value plan_value(const Plan& plan) {
  Value::List steps, losses;
  for (const Step& step : plan.steps) steps.push_back(step_value(step));
  for (const Loss& loss : plan.losses)
    losses.push_back(Value::object({{"what", loss.what}, {"acceptance", loss.acceptance}}));
  Value hashed = Value::object({{"schema", kSchema},
                                {"verb", plan.verb},
                                {"cluster", plan.cluster},
                                {"steps", Value(std::move(steps))},
                                {"losses", Value(std::move(losses))},
                                {"world", plan.world}});
  if (!plan.cluster_uid.empty()) hashed.set("clusterUid", plan.cluster_uid);
  const std::string hash = codec::to_hex(crypto::sha256(as_bytes(canonical_json(hashed))));
  Value document = Value::object({{"schema", kSchema}, {"verb", plan.verb}, {"cluster", plan.cluster}});
  if (!plan.cluster_uid.empty()) document.set("clusterUid", plan.cluster_uid);
  document.set("created", plan.created);
  document.set("hash", hash);
  document.set("steps", hashed["steps"]);
  document.set("losses", hashed["losses"]);
  document.set("world", plan.world);
  return document;
}

Result<Plan> parse_plan(const Value& document) {
  auto plan = parse(document);
  if (plan) return plan;
  return fail(ErrorClass::needs_operator, "operation.plan_damaged", "the plan cannot be used: " + plan.error().message);
}

}  // namespace holdfast::operation
