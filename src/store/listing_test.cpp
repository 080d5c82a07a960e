#include <gtest/gtest.h>

#include "store/rest_store.h"
#include "store/s3_listing.h"

namespace holdfast::store {
namespace {

Result<S3Listing> s3(std::string_view inside) {
  return parse_s3_listing(
      as_bytes("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" +
               std::string(inside) + "</ListBucketResult>"));
}

TEST(S3Listing, keys_are_decoded_only_if_the_server_says_they_are_encoded) {
  const std::string contents = "<Contents><Key>a+b%2Fc</Key><Size>7</Size></Contents>";
  auto encoded = s3(contents + "<EncodingType>url</EncodingType>"),
       plain = s3(contents + "<EncodingType></EncodingType>");
  ASSERT_TRUE(encoded && plain);
  EXPECT_EQ(encoded->objects.at(0).key, "a b/c");
  EXPECT_EQ(plain->objects.at(0).key, "a+b%2Fc");
  EXPECT_EQ(plain->objects.at(0).size, 7u);
  EXPECT_EQ(plain->next_token, "");
}

TEST(S3Listing, pages_follow_each_other_by_token) {
  EXPECT_EQ(s3("<IsTruncated>true</IsTruncated><NextContinuationToken>t=</NextContinuationToken>")->next_token, "t=");
  EXPECT_EQ(s3("<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>")->next_token, "");
  EXPECT_FALSE(s3("<IsTruncated>true</IsTruncated>")) << "the rest of the listing would be lost in silence";
}

TEST(S3Listing, half_an_entry_is_an_error_and_not_a_missing_object) {
  for (const char* inside :
       {"<Contents><Key>a</Key></Contents>", "<Contents><Size>1</Size></Contents>",
        "<Contents><Key>a</Key><Size>x</Size></Contents>", "<Contents><Key>a</Key><Size>-1</Size></Contents>",
        "<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>",
        "<EncodingType>url</EncodingType><Contents><Key>%4</Key><Size>1</Size></Contents>"}) {
    auto listing = s3(inside);
    ASSERT_FALSE(listing) << inside;
    EXPECT_EQ(listing.error().id, "store.protocol");
  }
  EXPECT_FALSE(parse_s3_listing(as_bytes("<Error><Code>AccessDenied</Code></Error>")));
  EXPECT_FALSE(parse_s3_listing(as_bytes("<ListBucketResult><Contents>")));
}

TEST(RestListing, reads_both_versions_of_the_protocol) {
  auto two = parse_rest_listing(R"([{"name":"aa","size":5},{"size":0,"name":"bb","other":[1]}])");
  ASSERT_TRUE(two) << two.error().message;
  ASSERT_EQ(two->size(), 2u);
  EXPECT_EQ(two->at(0).name, "aa");
  EXPECT_EQ(two->at(0).size, 5u);
  EXPECT_EQ(two->at(1).size, 0u);
  auto one = parse_rest_listing(R"(["aa","bb"])");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->at(1).name, "bb");
  EXPECT_FALSE(one->at(1).size);
  EXPECT_TRUE(parse_rest_listing("[]")->empty());
  EXPECT_TRUE(parse_rest_listing("null\n")->empty());
}

TEST(RestListing, refuses_what_is_cut_short_or_could_leave_the_repository) {
  for (const char* body : {"", "[", "[{\"name\":\"a\",\"size\":1}", "[{\"name\":\"a\",\"size\":1}] x", "{}", "[1]",
                           "[{\"size\":1}]", "[{\"name\":\"a\"}]", "[\"..\"]", "[\"a/b\"]", "[\"\"]", "[\"a\\u0000b\"]",
                           "[{\"name\":\"a\",\"size\":-1}]", "<html>"}) {
    EXPECT_FALSE(parse_rest_listing(body)) << body;
  }
}

}  // namespace
}  // namespace holdfast::store
