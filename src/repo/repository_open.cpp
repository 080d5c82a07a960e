// How a repository is made and opened: its config and its keys.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "crypto/random.h"
#include "crypto/sha256.h"
#include "repo/environment.h"
#include "repo/format/chunker.h"
#include "repo/repository.h"

namespace holdfast::repo {
namespace {

constexpr int kMaxKeys = 20;  // key files tried, as restic does: each costs a scrypt
// What whoever can write key files can make an opening cost. Ours need 32 MiB and 100 MB of mixing.
constexpr uint64_t kMaxKeyMemory = uint64_t{512} << 20;  // of one key file
constexpr uint64_t kMaxKeyWork = uint64_t{8} << 30;      // bytes mixed for all of them

uint64_t key_memory(const crypto::ScryptCost& cost) {
  if (cost.n > kMaxKeyMemory || cost.r > kMaxKeyMemory || cost.n * cost.r > kMaxKeyMemory) return UINT64_MAX;
  return 128 * cost.n * cost.r;
}

}  // namespace

Result<std::unique_ptr<Repository>> Repository::init(std::shared_ptr<store::ObjectStore> store, const Secret& password,
                                                     const InitOptions& options) {
  const auto exists = [&](const char* what) {
    return fail(ErrorClass::refused, "repo.exists", fmt::format("{} already holds a {}", store->location(), what),
                "holdfast get snapshots -r " + store->location());
  };
  if (password.empty()) {
    return fail(ErrorClass::usage, "repo.key.empty_password", "an empty password protects nothing",
                "set RESTIC_PASSWORD_FILE to a file with the password");
  }
  if (options.version != 1 && options.version != 2) {
    return fail(ErrorClass::usage, "repo.config.version", "a repository's version is 1 or 2", "--repository-version 2");
  }
  std::unique_ptr<Repository> repository(new Repository(store));
  TRY_VOID(store->create());  // first: where there is no bucket, not even absence can be asked for
  if (TRY(store->stat("config"))) return exists("repository (config)");
  if (!TRY(repository->list(ObjectType::snapshot)).empty()) return exists("snapshot");
  // A key and nothing else: an init was cut off before the config. Its key is used, not removed: it may still run.
  const bool resumed = !TRY(repository->list(ObjectType::key)).empty();
  if (resumed) {
    if (!TRY(repository->list(ObjectType::index)).empty()) return exists("key and an index");
    if (!TRY(repository->list(ObjectType::pack)).empty()) return exists("key and packs");
    if (!repository->open_key(password, "", {})) {
      return fail(
          ErrorClass::refused, "repo.exists",
          fmt::format("{} already holds a key and nothing else, and this password does not open it", store->location()),
          "use the password of the interrupted repo init, or remove keys/ there if it is lost");
    }
  } else {
    repository->master_key_ = crypto::random_seal_key();
  }
  repository->config_.version = options.version;
  crypto::fill_random(repository->config_.id.bytes);
  repository->config_.polynomial = options.polynomial ? *options.polynomial : find_chunker_polynomial([] {
    uint64_t value;
    crypto::fill_random({reinterpret_cast<uint8_t*>(&value), sizeof value});
    return value;
  });
  if (!resumed) {
    const Environment environment = Environment::of_process();
    repository->key_id_ = TRY(repository->add_key(password, environment.user, environment.host));
  }
  // The config comes last: only with it does the place count as a repository.
  crypto::Sealer sealer(repository->master_key_);
  const Buffer sealed = sealer.seal(as_bytes(config_text(repository->config_)));
  auto written = store->put("config", sealed, {.if_absent = true});
  if (!written) {
    if (written.error().id == store::kExists) {
      // Another init was faster; its repository stays its own. With the same key it is opened by that.
      if (!resumed && !repository->load_config()) (void)repository->remove(ObjectType::key, repository->key_id_);
      return exists("repository (config)");
    }
    return std::unexpected(std::move(written).error());
  }
  repository->index_->finish_loading();
  return repository;
}

Result<std::unique_ptr<Repository>> Repository::open(std::shared_ptr<store::ObjectStore> store, const Secret& password,
                                                     const std::string& key_hint, std::stop_token stop) {
  std::unique_ptr<Repository> repository(new Repository(std::move(store)));
  TRY_VOID(repository->open_key(password, key_hint, stop));
  TRY_VOID(repository->load_config());
  return repository;
}

Result<std::unique_ptr<Repository>> Repository::open_with_key(std::shared_ptr<store::ObjectStore> store,
                                                              const crypto::SealKey& master_key, const Id& key_id) {
  std::unique_ptr<Repository> repository(new Repository(std::move(store)));
  repository->master_key_ = master_key;
  repository->key_id_ = key_id;
  TRY_VOID(repository->load_config());
  return repository;
}

Result<KeyFile> Repository::load_key_file(const Id& id) {
  Buffer text;
  TRY_VOID(store_->get_all(object_key(ObjectType::key, id), text, kMaxSmallObject));
  if (crypto::sha256(text) != id.bytes) return damaged(fmt::format("key {} does not match its name", id.short_hex()));
  return parse_key_file(as_text(text));
}

Status Repository::open_key(const Secret& password, const std::string& key_hint, const std::stop_token& stop) {
  std::vector<ObjectRef> keys = TRY(list(ObjectType::key));
  if (keys.empty()) {
    return fail(
        ErrorClass::refused, "repo.not_found", fmt::format("there is no repository at {}", store_->location()),
        fmt::format("correct the location; a new repository is made by holdfast repo init -r {}", store_->location()));
  }
  std::stable_partition(keys.begin(), keys.end(),
                        [&](const ObjectRef& key) { return !key_hint.empty() && key.id.hex().starts_with(key_hint); });
  std::optional<Error> problem;
  int tried = 0;
  uint64_t work = 0;
  for (const auto& key : keys) {
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    if (tried == kMaxKeys) break;
    ++tried;
    auto file = load_key_file(key.id);
    if (!file) {
      // Another key may still open the repository; a store that cannot be reached will not answer for that one either.
      if (file.error().error_class == ErrorClass::unavailable) return std::unexpected(std::move(file).error());
      problem = std::move(file).error();
      continue;
    }
    const uint64_t memory = key_memory(file->cost);
    const uint64_t mixed = memory > kMaxKeyMemory || file->cost.p > kMaxKeyWork ? UINT64_MAX : memory * file->cost.p;
    if (memory > kMaxKeyMemory || mixed > kMaxKeyWork - work) {
      problem = Error{ErrorClass::verification_failed,
                      "repo.key.cost",
                      fmt::format("key {} asks for more work than any key needs (N={} r={} p={}) and was not tried",
                                  key.id.short_hex(), file->cost.n, file->cost.r, file->cost.p),
                      "name the key that fits with --key-hint; holdfast repo key list shows who made which",
                      {}};
      continue;
    }
    work += mixed;
    auto derived = crypto::scrypt(password, file->salt, file->cost);
    if (!derived) {
      problem = std::move(derived).error();
      continue;
    }
    crypto::SealKey user_key;
    std::memcpy(user_key.encrypt.data(), derived->data(), 32);
    std::memcpy(user_key.mac_k.data(), derived->data() + 32, 16);
    std::memcpy(user_key.mac_r.data(), derived->data() + 48, 16);
    auto text = crypto::Sealer(user_key).open_in_place({file->sealed_key.data(), file->sealed_key.size()});
    if (!text) continue;
    master_key_ = TRY(parse_master_key(as_text(*text)));
    key_id_ = key.id;
    return {};
  }
  if (problem) return std::unexpected(std::move(*problem).with_context("opening " + store_->location()));
  return fail(ErrorClass::refused, "repo.key.wrong_password",
              static_cast<size_t>(tried) < keys.size()
                  ? fmt::format("the password opens none of the {} keys of {} that were tried, of {}", tried,
                                store_->location(), keys.size())
                  : fmt::format("the password opens none of the {} keys of {}", keys.size(), store_->location()),
              static_cast<size_t>(tried) < keys.size()
                  ? "name the key that fits with --key-hint"
                  : "check RESTIC_PASSWORD, RESTIC_PASSWORD_FILE or RESTIC_PASSWORD_COMMAND");
}

Status Repository::load_config() {
  Buffer sealed;
  auto got = store_->get_all("config", sealed, kMaxSmallObject);
  if (!got) {
    if (got.error().id != store::kNotFound) return got;
    return fail(ErrorClass::refused, "repo.not_found",
                fmt::format("{} holds keys but no config: it is not a whole repository", store_->location()),
                fmt::format("holdfast repo init -r {} completes it if nothing was stored yet; otherwise restore the "
                            "config object from a copy of the repository",
                            store_->location()));
  }
  auto text = crypto::Sealer(master_key_).open_in_place({sealed.data(), sealed.size()});
  if (!text) return damaged("config: " + text.error().message);
  config_ = TRY(parse_config(as_text(*text)));
  return {};
}

Result<Id> Repository::add_key(const Secret& password, const std::string& user, const std::string& host) {
  KeyFile file;
  file.created = now();
  file.username = user;
  file.hostname = host;
  file.salt.resize(64);
  crypto::fill_random({file.salt.data(), file.salt.size()});
  const auto derived = TRY(crypto::scrypt(password, file.salt, file.cost));
  crypto::SealKey user_key;
  std::memcpy(user_key.encrypt.data(), derived.data(), 32);
  std::memcpy(user_key.mac_k.data(), derived.data() + 32, 16);
  std::memcpy(user_key.mac_r.data(), derived.data() + 48, 16);
  file.sealed_key = crypto::Sealer(user_key).seal(as_bytes(master_key_text(master_key_)));
  const std::string text = key_file_text(file);
  const Id id{crypto::sha256(as_bytes(text))};
  TRY_VOID(store_->put(object_key(ObjectType::key, id), as_bytes(text), {.sha256 = id.bytes}));
  return id;
}

}  // namespace holdfast::repo
