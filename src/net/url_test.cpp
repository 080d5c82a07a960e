#include "net/url.h"

#include <gtest/gtest.h>

namespace holdfast::net {

TEST(Url, splits_all_parts_and_decodes_the_login) {
  auto url = parse_url("https://us%40er:p%3A%2Fw@Host.Example:8443/a%20b/c/");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->user, "us@er");
  EXPECT_EQ(url->password.reveal(), "p:/w");
  EXPECT_EQ(url->host, "host.example");
  EXPECT_EQ(url->path, "/a b/c/");
  EXPECT_EQ(url->origin(), "https://host.example:8443");
}

TEST(Url, leaves_out_the_port_the_scheme_implies_and_keeps_ipv6_brackets) {
  EXPECT_EQ(parse_url("http://h:80/")->authority(), "h");
  EXPECT_EQ(parse_url("http://h:443/")->authority(), "h:443");
  EXPECT_EQ(parse_url("https://[::1]:9000/x")->authority(), "[::1]:9000");
  EXPECT_EQ(parse_url("https://[::1]/x")->authority(), "[::1]");
}

TEST(Url, refuses_what_it_would_have_to_guess) {
  for (const char* text :
       {"host/path", "ftp://h/", "http://", "http://h:/", "http://h:0/", "http://h:65536/", "http://h:8x/",
        "http://h/%zz", "http://h/%2", "http://h/?q", "http://h/#f", "http://a b/", "http:///path"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

TEST(Url, encoding_and_decoding_are_inverse_for_every_byte) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(uri_decode(uri_encode(all, Slash::encode)).value(), all);
  EXPECT_EQ(uri_encode("a/b c+~", Slash::keep), "a/b%20c%2B~");
  EXPECT_EQ(uri_decode("a+b%2B", Plus::is_space).value(), "a b+");
}

}  // namespace holdfast::net
