#include "codec/xml.h"

#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

Result<XmlElement> parse(std::string_view text) {
  return parse_xml(as_bytes(text));
}

TEST(Xml, reads_elements_text_and_prefixes) {
  auto root = parse(
      "<?xml version=\"1.0\"?>\n<s:List xmlns:s=\"http://x/\"><Key>a &amp; b&#x20;\n</Key><Empty/><Key>second</Key>"
      "<Outer><Inner>1</Inner></Outer></s:List>");
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(root->name, "List");
  ASSERT_EQ(root->children.size(), 4u);
  EXPECT_EQ(root->text_of("Key"), "a & b \n");
  EXPECT_EQ(root->text_of("Empty"), "");
  EXPECT_EQ(root->text_of("None"), "");
  EXPECT_EQ(root->child("Outer")->text_of("Inner"), "1");
  EXPECT_EQ(root->child("None"), nullptr);
}

TEST(Xml, refuses_damage_and_every_kind_of_bomb) {
  for (const char* text :
       {"", " ", "text", "<a>", "<a></b>", "<a/><b/>", "<a>\xff</a>", "<a>&undefined;</a>", "{\"json\":1}"}) {
    auto root = parse(text);
    ASSERT_FALSE(root) << text;
    EXPECT_EQ(root.error().id, "codec.xml");
  }
  EXPECT_FALSE(parse("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"));
  std::string deep, wide = "<a>";
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_FALSE(parse(deep));
  for (int i = 0; i < 200'001; ++i) wide += "<b/>";
  EXPECT_FALSE(parse(wide + "</a>"));
}

}  // namespace
}  // namespace holdfast::codec
