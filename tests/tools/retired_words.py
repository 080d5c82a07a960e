#!/usr/bin/env python3
"""Words that no message, help text, guide, runbook page or note of a release may use: each of them says in words of this
project's own what MariaDB, PostgreSQL, Galera or restic have a word for. It reads what a person meets: the string literals
of src (not of its tests), README.md, docs (not the records of decisions), man and changes/unreleased.

    retired_words.py              file:line, what is written there and what to say instead (exit 1 if there is any)
    retired_words.py FILE...      the same of these files
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# A blank of a pattern is any white space: prose wraps. Bounds of words are added on both sides, and a letter, digit, "_"
# or "-" beside a bound makes it part of an id: semi-sync-nobody is the name of a diagnosis, nobody is not.
RETIRED = [
    (r"anew", "rebuild, again"),
    (r"(take|takes|taking|took|taken) (no )?writes", "primary (accepts writes, where the point is that two do)"),
    (r"(?<!')(nobody|nobody's)(?!')", "no member, no server; there is no ..."),
    (r"somebody|whoever", "a member, which member; a user"),
    (r"whom", "its source, the member that ..."),
    (r"told|tells|(not|cannot|can|could) tell", "reported, says, shows"),
    (r"(give|gives|giving|gave|given) way", "is replaced, is discarded"),
    (r"(come|comes|coming|came) apart", "diverged"),
    (r"something of (its|their) own", "has transactions the others lack"),
    (r"(?<!there\s)(is|are|was|were) (?-i:no)(?! (longer|more|less|fewer|later|earlier|older|newer|larger|smaller|one)\b)",
     "is not a ..., is not an ..."),
    (r"(name|names|named) no", "has no ..., does not name a ..."),
    (r"(take|takes|taking|took|taken)( (it|them|that|this|these|all|everything))? back", "undo, undone"),
    (r"(go|goes|going|went) on|(has|have|had|be|been) gone on", "resume, continue"),
    (r"begun", "started, unfinished"),
    (r"(a|the|this|each|every|another|first|second|last|next|earlier|later|two|three|several) looks?", "check, observation"),
    (r"(look|looks|looked|looking) again", "refresh, check again"),
    (r"(stand|stands|stood|standing)(?! for\b)", "is"),
    (r"(sign|signs|signed|signing)( (it|us|them))? in|sign-ins?", "log in, accept logins"),
    (r"leavings|leftovers of", "incomplete, remains of"),
    (r"(go|goes|going|went|gone) past", "bypass"),
    (r"(put|puts|putting)( \S+){0,3} back", "restored, moved back"),
    (r"(acceptance|acceptances|choice|choices) of (its|their) own", "needs `--accept=NAME`; needs your decision"),
    (r"(is|are|be|was|were|been|become|becomes|became|gets|got|not|longer|nearly|with) level|level with", "caught up"),
    (r"died|(is|are|was|were|be|been|proven) dead|dead (server|member|primary|replica|standby|node|donor|host|agent|process)(s|es)?",
     "crashed, is down"),
    (r"hurt|hurts", "damaged"),
    (r"mend|mends|mended|mending", "repair, fix"),
    (r"(the|a|which|changed) world", "the cluster's state"),
    (r"room", "space"),
]
# File, what is written there, and why it may be: names that are not words of ours.
ALLOWED = [
    ("src/lab/cluster_up.cpp", "nobody", "the account of that name, of every Unix"),
    ("src/provider/folder_server.cpp", "nobody", "the account of that name, of every Unix"),
    ("src/operation/record.cpp", "begun", "the type of a record in journals that are stored already"),
]
PATTERNS = [(re.compile(r"(?<![\w-])(?:" + pattern.replace(" ", r"\s+") + r")(?![\w-])", re.I), say) for pattern, say in RETIRED]

# What the string literals of C++ are looked for in: comments and characters are skipped by naming them.
TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<include>^[ \t]*\#[ \t]*include[^\n]*)"""
    r"""|(?:u8|[uUL])?R"(?P<mark>[^()\\\s]*)\((?P<raw>.*?)\)(?P=mark)\""""
    r"""|(?:u8|[uUL])?"(?P<text>(?:[^"\\\n]|\\.)*)\""""
    r"""|(?:\b(?:u8|[uUL])|(?<!\w))'(?P<char>(?:[^'\\\n]|\\.)+)'"""
    r"""|(?P<blank>\s+)|(?P<word>\w[\w']*)|(?P<other>.)""", re.S | re.M)
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|SHOW|SET|GRANT|START|STOP|CHANGE|WITH|COPY|LOCK) ")
ID = re.compile(r"[\w.:/=-]*[\d_./:=-][\w.:/=-]*$")


class Text:
    """What is said at one place: text, and the line of the file that each character of it is in."""

    def __init__(self):
        self.text = ""
        self.lines = []

    def add(self, text, line, raw=True):
        position = 0
        while position < len(text):
            width, said = 1, text[position]
            if not raw and said == "\\":
                width, said = 2, {"n": "\n", "t": "\t"}.get(text[position + 1], text[position + 1])
            self.text += said
            self.lines.append(line)
            line += text.count("\n", position, position + width)
            position += width


def literals_of(code):
    """The string literals of C++; those beside each other are one."""
    line, current = 1, None
    for token in TOKEN.finditer(code):
        kind = token.lastgroup
        if token.group("raw") is not None or token.group("text") is not None:
            current = current or Text()
            raw = token.group("raw") is not None
            current.add(token.group("raw") if raw else token.group("text"), line, raw)
        elif kind not in ("blank", "comment") and current:
            yield current
            current = None
        line += token.group().count("\n")
    if current:
        yield current


def texts_of(path, content):
    if not path.endswith((".cpp", ".h")):
        page = Text()
        page.add(content.replace("\\-", "-") if "/man/" in path else content, 1)
        return [page]
    return [literal for literal in literals_of(content) if not SQL.match(literal.text) and not ID.match(literal.text)]


def found_in(path, content):
    """(line, what is written, what to say) of each retired word, in the order of the lines."""
    found = []
    for text in texts_of(path, content):
        for pattern, say in PATTERNS:
            found += [(text.lines[hit.start()], " ".join(hit.group().split()), say) for hit in pattern.finditer(text.text)]
    return sorted(found)


def files():
    yield os.path.join(ROOT, "README.md")
    for folder, ends in (("src", (".cpp", ".h")), ("docs", (".md", ".json")), ("man", (".1",)), ("changes/unreleased", (".md",))):
        for place, below, names in os.walk(os.path.join(ROOT, folder)):
            below[:] = sorted(name for name in below if os.path.join(place, name) != os.path.join(ROOT, "docs", "decisions"))
            yield from (os.path.join(place, name) for name in sorted(names)
                        if name.endswith(ends) and not re.search(r"_test\.(cpp|h)$", name))


def main():
    count, used = 0, set()
    for path in [os.path.abspath(name) for name in sys.argv[1:]] or files():
        name = os.path.relpath(path, ROOT)
        with open(path, encoding="utf-8") as file:
            for line, written, say in found_in(path, file.read()):
                allowed = [row for row in ALLOWED if row[:2] == (name, written)]
                used.update(allowed)
                if not allowed:
                    print(f"{name}:{line}: \"{written}\": say instead: {say}")
                    count += 1
    if len(sys.argv) == 1:
        for name, written, _ in (row for row in ALLOWED if row not in used):
            print(f"{name}: \"{written}\" is not there any more: remove it from ALLOWED")
            count += 1
    print(f"{count} retired words" if count else "no retired word")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
