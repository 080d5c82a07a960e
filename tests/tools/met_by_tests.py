#!/usr/bin/env python3
"""Every documented flag and every error id occurs in a test, or in not_met.txt beside this file, a list that only shrinks:
what a test meets must go from it, and nothing may be added to what the main branch has.

    met_by_tests.py            says what is wrong (exit 1)
    met_by_tests.py --update   writes the list anew
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIST = os.path.join(HERE, "not_met.txt")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def files(folder, wanted):
    for place, _, names in os.walk(os.path.join(ROOT, folder)):
        for name in names:
            if wanted(name):
                yield os.path.join(place, name)


def text_of_tests():
    text = [read(path) for path in files("src", lambda name: name.endswith("_test.cpp"))]
    text += [read(path) for path in files("tests", lambda name: name.endswith((".cpp", ".h", ".txt", ".sh")))
             if path != LIST and not path.endswith("CMakeLists.txt")]
    # Commands of these pages are run as they are written.
    pages = [os.path.join(ROOT, "README.md")] + list(files("docs/guide", lambda name: name.endswith(".md")))
    for page in pages:
        text += re.findall(r"^```sh[^\n]*\n(.*?)^```", read(page), re.M | re.S)
    return "\n".join(text)


def documented_flags():
    """Long name of each flag in the reference, and its short one or ""."""
    rows = re.findall(r"^\| `(?:(-\w), )?(--[a-z][a-z0-9-]+)[^`]*` \|", read(os.path.join(ROOT, "docs/reference/cli.md")), re.M)
    return {long: short for short, long in rows}


def error_ids():
    code = "\n".join(read(path) for path in files("src", lambda name: name.endswith((".cpp", ".h")) and "_test." not in name))
    return set(re.findall(r'ErrorClass::[a-z_]+,\s*"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"', code))


def not_met():
    text = text_of_tests()
    written = set(re.findall(r"(?<![\w-])(?:--[a-z][a-z0-9-]+|-\w\b)", text))
    flags = [long for long, short in documented_flags().items() if long not in written and short not in written]
    ids = set(re.findall(r"\b[a-z0-9_]+(?:\.[a-z0-9_]+)+\b", text))
    return sorted(flags) + sorted(error_ids() - ids)


def listed(text):
    return [line for line in text.split("\n") if line and not line.startswith("#")]


def list_of_main():
    for branch in ("origin/main", "main"):
        shown = subprocess.run(["git", "-C", ROOT, "show", f"{branch}:tests/tools/not_met.txt"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
        if shown.returncode == 0:
            return listed(shown.stdout)
    return None


def main():
    missing = not_met()
    if sys.argv[1:] == ["--update"]:
        with open(LIST, "w", encoding="utf-8") as file:
            file.write("# Documented flags and error ids that no test meets yet. It only shrinks: see met_by_tests.py.\n")
            file.write("".join(line + "\n" for line in missing))
        return 0
    known = listed(read(LIST))
    wrong = [f"{name}: no test meets it" for name in missing if name not in known]
    wrong += [f"{name}: a test meets it, or it is gone; remove it from not_met.txt" for name in known if name not in missing]
    before = list_of_main()
    if before is not None:
        wrong += [f"{name}: was added to not_met.txt, which only shrinks" for name in known if name not in before]
    print("\n".join(wrong) if wrong else f"{len(known)} flags and ids are not met by a test yet")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
