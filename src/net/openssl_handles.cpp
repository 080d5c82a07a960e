#include "net/openssl_handles.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace holdfast::net {
namespace {

constexpr size_t kLongestText = 1 << 20;

int no_passphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

void FreeOpenssl::operator()(bio_st* bio) const {
  BIO_free(bio);
}
void FreeOpenssl::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}
void FreeOpenssl::operator()(x509_st* certificate) const {
  X509_free(certificate);
}

Bio reading_bio(std::string_view text) {
  return Bio(text.size() > kLongestText ? nullptr : BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Bio writing_bio() {
  return Bio(BIO_new(BIO_s_mem()));
}

std::string_view written(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string_view(data, static_cast<size_t>(size)) : std::string_view();
}

Certificate read_certificate(std::string_view pem) {
  const Bio bio = reading_bio(pem);
  Certificate certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  return certificate;
}

Key read_key(std::string_view pem) {
  const Bio bio = reading_bio(pem);
  Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  return key;
}

}  // namespace holdfast::net
