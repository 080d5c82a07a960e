// The repository's config object and its key files.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/scrypt.h"
#include "crypto/seal.h"
#include "repo/format/id.h"
#include "repo/format/timestamp.h"

namespace holdfast::repo {

struct Config {
  unsigned version = 2;
  Id id;
  uint64_t polynomial = 0;  ///< of the chunker
};

/// Versions other than 1 and 2 are refused ("repo.config.version"), a reducible polynomial or broken text is
/// "repo.config.format".
Result<Config> parse_config(std::string_view json);
std::string config_text(const Config& config);

struct KeyFile {
  Timestamp created;
  std::string username;
  std::string hostname;
  crypto::ScryptCost cost;
  Buffer salt;
  Buffer sealed_key;  ///< the master key's JSON, sealed with the key made from the password
};

/// "repo.key.format" (verification_failed) for anything that is no scrypt key file.
Result<KeyFile> parse_key_file(std::string_view json);
std::string key_file_text(const KeyFile& file);

/// The master key's JSON, as it stands sealed inside key files.
Result<crypto::SealKey> parse_master_key(std::string_view json);
std::string master_key_text(const crypto::SealKey& key);

}  // namespace holdfast::repo
