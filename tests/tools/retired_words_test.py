#!/usr/bin/env python3
"""retired_words.py: what it finds in messages and pages, and what it leaves alone."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import retired_words  # noqa: E402

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "retired_words.py")


def found(text, path="page.md"):
    return [(line, written) for line, written, _ in retired_words.found_in(path, text)]


def in_code(code):
    return found(code, "file.cpp")


class RetiredWords(unittest.TestCase):
    def test_each_retired_word_is_found(self):
        for text in ("it has to be made anew", "m1 takes writes", "two take writes", "it takes no writes", "nobody answers",
                     "Nobody's data", "somebody stopped it", "whoever wrote them", "the one whom it follows", "it is told",
                     "triage tells why", "it does not tell its role", "the one that gives way", "the histories have come apart",
                     "it has something of its own", "m1 is no donor", "they are no strangers", "'x' names no member",
                     "nothing to take back", "take them back", "goes on with it", "the others have gone on", "was begun",
                     "this is more than a look", "at every look", "two looks differ", "look again later", "it stands at 5",
                     "replication stands still", "it signs us in", "sign in by hand", "the sign-in failed",
                     "the leavings of a copy", "leftovers of a copy", "it goes past the guard", "put the old data back",
                     "needs an acceptance of its own", "the replica is level", "it is not level with it", "the server died",
                     "a dead primary", "the host is dead", "made to hurt", "mend the network", "the world has changed",
                     "make room"):
            self.assertEqual(len(found(text)), 1, text)

    def test_what_is_written_in_the_words_of_the_field_passes(self):
        for text in ("it is no longer a replica", "there is no primary", "it is no more than that", "Slave_SQL_Running is No",
                     "semi-sync-nobody", "the slot 'nobody'", "look at the log", "a replica that looks closed", "level 3",
                     "isolation level", "it stands for a name", "a dead connection", "an account that is gone on the primary",
                     "an outlook", "chatroom", "as of its own"):
            self.assertEqual(found(text), [], text)

    def test_prose_wraps_and_the_line_is_where_it_begins(self):
        self.assertEqual(found("one\nit takes\n   writes, and\nMend it\n"), [(2, "takes writes"), (4, "Mend")])

    def test_messages_of_code(self):
        self.assertEqual(in_code('say("one");\nsay("it takes "\n    "writes", x);\n'), [(2, "takes writes")])
        self.assertEqual(in_code('say("it takes "  // of two parts\n    R"(writes)");\n'), [(1, "takes writes")])
        self.assertEqual(in_code('say("it takes", " writes");\n'), [])
        self.assertEqual(in_code('R"x(\n)" \nnobody\n)x"'), [(3, "nobody")])
        self.assertEqual(in_code("char c = '\"'; say(\"nobody\"); char d = '\"';"), [(1, "nobody")])
        self.assertEqual(in_code('say("a \\" nobody\\n"); int x = 1\'000; say("told");'), [(1, "nobody"), (1, "told")])

    def test_code_that_is_no_message(self):
        for code in ("// nobody was told\n", "/* nobody\n was told */\n", '#include "repair/the world"\n', "bool told = room;\n",
                     'id("semi-sync-nobody")', 'id("repair.nobody")', 'sql("SELECT told FROM x")', 'accept("changed-world:{}")'):
            self.assertEqual(in_code(code), [], code)

    def test_exit_code_and_output(self):
        with tempfile.TemporaryDirectory() as folder:
            for text, code in (("all is well\n", 0), ("\nnobody knows\n", 1)):
                path = os.path.join(folder, "page.md")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                done = subprocess.run([sys.executable, TOOL, path], text=True, stdout=subprocess.PIPE)
                self.assertEqual(done.returncode, code, done.stdout)
            self.assertIn('page.md:2: "nobody": say instead: no member', done.stdout)


if __name__ == "__main__":
    unittest.main()
