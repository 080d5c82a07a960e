// OpenSSL's objects as owned values, and how PEM becomes them; for this module. Nothing here leaves errors in its
// queue.
#pragma once

#include <memory>
#include <string_view>

struct bio_st;
struct evp_pkey_st;
struct x509_st;

namespace holdfast::net {

struct FreeOpenssl {
  void operator()(bio_st* bio) const;
  void operator()(evp_pkey_st* key) const;
  void operator()(x509_st* certificate) const;
};
using Bio = std::unique_ptr<bio_st, FreeOpenssl>;
using Key = std::unique_ptr<evp_pkey_st, FreeOpenssl>;
using Certificate = std::unique_ptr<x509_st, FreeOpenssl>;

/// Reads from the text, which must outlive it; null above 1 MiB.
Bio reading_bio(std::string_view text);
Bio writing_bio();
/// What has been written to a writing_bio(); valid as long as it is.
std::string_view written(const Bio& bio);

/// The first certificate of a PEM text; null without one.
Certificate read_certificate(std::string_view pem);
/// A private key; null without one, and where it needs a passphrase: nobody is asked for it at a terminal.
Key read_key(std::string_view pem);

}  // namespace holdfast::net
