// Small XML documents as a tree: what S3 servers answer. Input is not trusted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::codec {

struct XmlElement {
  std::string name;  ///< without namespace prefix
  std::string text;  ///< character data directly inside, as sent
  std::vector<XmlElement> children;

  /// The first child of that name, or nullptr.
  const XmlElement* child(std::string_view child_name) const;
  /// Text of that child; "" without one.
  std::string_view text_of(std::string_view child_name) const;
};

/// The root element. Refuses document types (no entity ever expands), more than 32 levels and more than 200,000
/// elements with the error "codec.xml".
Result<XmlElement> parse_xml(ByteSpan document);

}  // namespace holdfast::codec
