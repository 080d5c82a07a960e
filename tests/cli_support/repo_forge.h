// Makes repository objects by hand: snapshots of any time, keys that are cheap to open. Independent of holdfast's own
// repository code (only its sealing is used), so that it can serve as a judge of it.
#pragma once

#include <string>

#include "crypto/seal.h"
#include "tests/cli_support/programs.h"

namespace holdfast::test {

/// The key that seals everything in a local repository, as restic tells it.
crypto::SealKey master_key(const Sandbox& sandbox, const std::string& repository);

/// Writes a key file for `password` whose scrypt costs next to nothing; its id.
std::string add_cheap_key(const std::string& repository, const crypto::SealKey& master, const std::string& password);

/// Replaces all keys of the repository by one that opens in no time: commands then take milliseconds and not half a
/// second.
void use_cheap_key(const Sandbox& sandbox, const std::string& repository);

/// Seals `plain` and stores it under its name in `folder` ("snapshots", "locks", "index"); its id.
std::string add_sealed(const std::string& repository, const crypto::SealKey& master, const std::string& folder,
                       const std::string& plain);
/// The plain text of a sealed file of the repository (config, snapshots/ID, ...), decompressed where it is compressed.
std::string read_sealed(const std::string& repository, const crypto::SealKey& master, const std::string& relative);

}  // namespace holdfast::test
