#!/usr/bin/env python3
"""Puts the sources of a target together into fewer files, so that headers are read once for several of them.

    unity.py OUTPUT_FOLDER <TARGETS     a line "target;source;..." for each; prints CMake code that sets their sources

Two sources share a batch only if no name that one of them keeps to itself (anonymous namespace, static, macro) occurs
unqualified in the other: sharing can then change the meaning of nothing. A batch first includes all headers of its
sources, so that no header is read after such a name. Sources that set macros for headers, use pragmas or include
different third-party headers stay apart. Changed sources may need other batches: `make` runs cmake again each time.
"""
import os
import re
import sys

MOST_SOURCES = 12
MOST_BYTES = 110_000

OWN_NAME = re.compile(r"\b([A-Za-z_]\w*)\s*(?=[(={;\[]|:(?!:))")
BASE_TYPES = re.compile(r"(\b(?:struct|class|enum)\s+(?:class\s+)?\w+(?:\s+final)?)\s*:(?!:)[^{;]*")
TYPE_NAME = re.compile(r"\b(?:struct|class|enum|union|concept)\s+(?:class\s+)?([A-Za-z_]\w*)")
KEPT_NAME = re.compile(r"^(?:static|constexpr|const|inline|thread_local)\b[^(={;\[]*?([A-Za-z_]\w*)\s*[(={;\[]", re.M)
COLUMN_TYPE = re.compile(r"^(?:struct|class|enum|union)\s+(?:class\s+)?([A-Za-z_]\w*)[^;]*?\{", re.M)
TOKEN = re.compile(r"(?<![\w.>:])([A-Za-z_]\w*)")
NOT_NAMES = set("""if for while switch return sizeof alignof decltype noexcept operator auto const constexpr static inline
template typename struct class enum union using namespace void bool int char long short unsigned signed double float
default case static_assert public private protected final override std TEST TEST_F TEST_P INSTANTIATE_TEST_SUITE_P
EXPECT_EQ TRY""".split())


def without_text(code):
    """The code without comments, strings, and character literals."""
    pattern = re.compile(r'R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/|(?<![0-9a-zA-Z_])\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda match: '""' if match[0][0] in 'R"' else " ", code)


def anonymous_blocks(code):
    """What stands in anonymous namespaces, without what stands in braces there."""
    for start in re.finditer(r"\bnamespace\s*\{", code):
        depth, kept = 1, []
        for character in code[start.end():]:
            if character == "}":
                depth -= 1
                if depth == 0:
                    break
            if depth == 1:
                kept.append(character)
            if character == "{":
                depth += 1
        yield "".join(kept)


class Source:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            code = file.read()
        self.size = len(code)
        self.includes = re.findall(r'^#include [<"].*', code, re.M)
        self.third_party = frozenset(line for line in self.includes if re.match(r"#include <(\w+/|.*\.h>)", line)
                                     and not re.match(r"#include <(sys|linux|netinet|arpa|net)/|#include <(fmt|gtest|gmock)/", line)
                                     and not is_system(line))
        last_include = code.rfind("\n#include")
        macros = re.findall(r"^#\s*define\s+(\w+)", code, re.M)
        self.alone = bool(re.search(r"^#\s*pragma (?!once)|^#\s*(if|undef)|^(asm|extern \"C\")|\bint main\(", code, re.M)) or \
            "#define" in code[:last_include]
        plain = without_text(re.sub(r"^#.*(\\\n.*)*", "", code, flags=re.M))
        self.using_namespaces = frozenset(re.findall(r"^using namespace [\w:]+;", plain, re.M))
        self.usings = {re.sub(r".*::", "", line[:-1]): line for line in re.findall(r"^using [\w:]+;", plain, re.M)}
        names = set(macros)
        for block in anonymous_blocks(BASE_TYPES.sub(r"\1 ", plain)):
            block = re.sub(r"^using [\w:]+;", "", block, flags=re.M)
            names.update(OWN_NAME.findall(block))
            names.update(TYPE_NAME.findall(block))
        for enumeration in re.finditer(r"\benum\s+(?!class)\w*[^{;]*\{([^}]*)\}", plain):
            names.update(re.findall(r"\b[A-Za-z_]\w*", enumeration[1]))
        names.update(KEPT_NAME.findall(plain))
        names.update(COLUMN_TYPE.findall(plain))
        self.names = names - NOT_NAMES
        self.tokens = set(TOKEN.findall(plain)) | set(macros)

    def disturbs(self, other):
        if self.names & other.tokens:
            return True
        return any(name in other.tokens and other.usings.get(name) != line for name, line in self.usings.items())

    def fits(self, other):
        return self.third_party == other.third_party and self.using_namespaces == other.using_namespaces and \
            not self.disturbs(other) and not other.disturbs(self)


def is_system(line):
    return bool(re.match(r"#include <(unistd|fcntl|poll|signal|pwd|grp|dirent|netdb|dlfcn|pthread|limits|time|stdlib|string|"
                         r"ifaddrs|fnmatch|sched)\.h>", line))


def batches_of(sources):
    batches = []
    for source in sources:
        for batch in batches:
            if source.alone or batch[0].alone or len(batch) >= MOST_SOURCES:
                continue
            if sum(entry.size for entry in batch) + source.size > MOST_BYTES:
                continue
            if all(source.fits(entry) for entry in batch):
                batch.append(source)
                break
        else:
            batches.append([source])
    return batches


def write_if_changed(path, text):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def batch_text(batch):
    headers = []
    for source in batch:
        here = os.path.dirname(source.path)
        for line in source.includes:
            beside = re.match(r'#include "([^"]*)"', line)
            if beside and os.path.exists(os.path.join(here, beside[1])):
                line = f'#include "{os.path.join(here, beside[1])}"'
            if line not in headers:
                headers.append(line)
    return "".join(line + "\n" for line in headers) + "".join(f'#include "{source.path}"\n' for source in batch)


def main():
    folder = sys.argv[1]
    for target in sys.stdin.read().split("\n"):
        name, *paths = target.split(";")
        # What is generated while building is not there yet, and stays alone.
        sources = [Source(path) for path in sorted(paths) if path.endswith(".cpp") and os.path.exists(path)]
        batches = [batch for batch in batches_of(sources) if len(batch) > 1]
        if not batches:
            continue
        batched = {source.path for batch in batches for source in batch}
        kept = [path for path in paths if path not in batched]
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        for batch in batches:
            place, file = os.path.split(os.path.splitext(batch[0].path)[0])
            path = os.path.join(folder, name, f"{os.path.basename(place)}_{file}_and_{len(batch) - 1}_more.cpp")
            write_if_changed(path, batch_text(batch))
            kept.append(path)
        print(f'set_property(TARGET {name} PROPERTY SOURCES "{";".join(kept)}")')


if __name__ == "__main__":
    main()
