#include "codec/xml.h"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace holdfast::codec {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxElements = 200'000;
constexpr size_t kMaxBytes = 256u << 20;

struct Builder {
  XML_Parser parser = nullptr;
  XmlElement root;
  // Open elements, outermost first. A parent's children vector grows only while no child of it is open, so they stay
  // put.
  std::vector<XmlElement*> open;
  size_t elements = 0;
  const char* refused = nullptr;

  void refuse(const char* why) {
    if (!refused) refused = why;
    XML_StopParser(parser, XML_FALSE);
  }
};

std::string_view local_name(const char* name) {
  std::string_view text(name);
  const size_t colon = text.rfind(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

void on_start(void* user, const XML_Char* name, const XML_Char**) {
  auto& builder = *static_cast<Builder*>(user);
  if (builder.open.size() >= kMaxDepth) return builder.refuse("too deep");
  if (++builder.elements > kMaxElements) return builder.refuse("too many elements");
  XmlElement* element = &builder.root;
  if (!builder.open.empty()) element = &builder.open.back()->children.emplace_back();
  element->name = local_name(name);
  builder.open.push_back(element);
}

void on_end(void* user, const XML_Char*) {
  auto& builder = *static_cast<Builder*>(user);
  if (!builder.open.empty()) builder.open.pop_back();
}

void on_text(void* user, const XML_Char* text, int length) {
  auto& builder = *static_cast<Builder*>(user);
  if (!builder.open.empty()) builder.open.back()->text.append(text, static_cast<size_t>(length));
}

void on_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) {
  static_cast<Builder*>(user)->refuse("document types are not accepted");
}

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
  auto found =
      std::find_if(children.begin(), children.end(), [&](const XmlElement& each) { return each.name == child_name; });
  return found == children.end() ? nullptr : &*found;
}

std::string_view XmlElement::text_of(std::string_view child_name) const {
  const XmlElement* found = child(child_name);
  return found ? std::string_view(found->text) : std::string_view();
}

Result<XmlElement> parse_xml(ByteSpan document) {
  if (document.size() > kMaxBytes) return fail(ErrorClass::failed, "codec.xml", "XML document of more than 256 MiB");
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr), XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  Builder builder;
  builder.parser = parser.get();
  XML_SetUserData(parser.get(), &builder);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  const auto done = XML_Parse(parser.get(), reinterpret_cast<const char*>(document.data()),
                              static_cast<int>(document.size()), XML_TRUE);
  if (done != XML_STATUS_OK) {
    return fail(ErrorClass::failed, "codec.xml",
                fmt::format("not well-formed XML at byte {}: {}", XML_GetCurrentByteIndex(parser.get()),
                            builder.refused ? builder.refused : XML_ErrorString(XML_GetErrorCode(parser.get()))));
  }
  return std::move(builder.root);
}

}  // namespace holdfast::codec
