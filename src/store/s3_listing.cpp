#include "store/s3_listing.h"

#include <charconv>

#include "codec/xml.h"
#include "net/url.h"

namespace holdfast::store {

Result<S3Listing> parse_s3_listing(ByteSpan body) {
  const auto bad = [](const std::string& why) {
    return fail(ErrorClass::failed, "store.protocol", "S3 listing: " + why);
  };
  const codec::XmlElement root = TRY(codec::parse_xml(body));
  if (root.name != "ListBucketResult") return bad("the answer is a <" + root.name + ">");
  // Keys are encoded only if the answer says so: servers may ignore the wish.
  const bool encoded = root.text_of("EncodingType") == "url";
  S3Listing listing;
  for (const codec::XmlElement& each : root.children) {
    if (each.name != "Contents") continue;
    ObjectInfo object;
    const std::string_view key = each.text_of("Key");
    if (encoded) {
      auto decoded = net::uri_decode(key, net::Plus::is_space);
      if (!decoded) return bad("a key that cannot be decoded");
      object.key = std::move(*decoded);
    } else {
      object.key = key;
    }
    const std::string_view size = each.text_of("Size");
    auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
    if (object.key.empty() || error != std::errc() || end != size.data() + size.size())
      return bad("an entry without key or size");
    listing.objects.push_back(std::move(object));
  }
  if (root.text_of("IsTruncated") == "true") {
    listing.next_token = root.text_of("NextContinuationToken");
    if (listing.next_token.empty()) return bad("more pages without a token");
  }
  return listing;
}

}  // namespace holdfast::store
