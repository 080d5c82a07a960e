#!/usr/bin/env python3
"""tools/run_tests on toy test folders: what fails twice is red, what fails once is green and listed, a unit test gets no
second chance, and the end is a ctest summary of what holds."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "run_tests")
PASSES = "exit 0"
FAILS = "echo 'x.cpp:1: Failure'; echo 'Value of: answer'; exit 1"
# Fails the first time it runs.
FAILS_ONCE = "if [ -e $0.ran ]; then exit 0; fi; touch $0.ran; " + FAILS
SKIPS = "exit 77"


class RunTests(unittest.TestCase):
    def run_toy(self, tests, *arguments, sampled=None, **environment):
        """tests: (name, label, script); sampled: lines of the file. Gives the exit code and what was printed."""
        with tempfile.TemporaryDirectory(prefix="holdfast-run-tests-") as folder:
            with open(os.path.join(folder, "CTestTestfile.cmake"), "w") as listing:
                for number, (name, label, script) in enumerate(tests):
                    path = os.path.join(folder, f"{number}.sh")
                    with open(path, "w") as file:
                        file.write(script + "\n")
                    listing.write(f'add_test([==[{name}]==] "sh" "{path}")\n'
                                  f'set_tests_properties([==[{name}]==] PROPERTIES LABELS "{label}" SKIP_RETURN_CODE 77)\n')
            if sampled is not None:
                with open(os.path.join(folder, "sampled.txt"), "w") as file:
                    file.write(sampled)
                arguments = ("--sampled", file.name, *arguments)
            clean = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
            done = subprocess.run([sys.executable, TOOL, folder, *arguments], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, env={**clean, **environment})
            logs = os.path.join(folder, "Testing", "Temporary")
            self.logs = os.listdir(logs) if os.path.isdir(logs) else []
            return done.returncode, done.stdout

    def summary(self, printed):
        """From the percentage on: nothing of ours may follow it."""
        start = [match.start() for match in re.finditer(r"^\d+% tests passed", printed, re.M)][-1]
        return printed[start:]

    def test_all_pass(self):
        code, printed = self.run_toy([("a", "unit", PASSES), ("b", "integration", PASSES)])
        self.assertEqual(code, 0)
        self.assertTrue(self.summary(printed).startswith("100% tests passed, 0 tests failed out of 2"), printed)
        self.assertNotIn("once more", printed)
        self.assertIn("Slowest tests:", printed)

    def test_fails_once_is_green_and_listed(self):
        code, printed = self.run_toy([("World/Kill.cut/3", "integration", FAILS_ONCE), ("b", "unit", PASSES)])
        self.assertEqual(code, 0, printed)
        above, summary = printed[:printed.rindex("100% tests passed")], self.summary(printed)
        listed = above[above.index("passed when it was run once more"):]
        self.assertIn("World/Kill.cut/3", listed)
        self.assertIn("Value of: answer", listed)
        self.assertTrue(summary.startswith("100% tests passed, 0 tests failed out of 2\n"), summary)
        self.assertNotIn("FAILED", summary)
        self.assertNotIn("Errors", summary)
        self.assertTrue(summary.rstrip().split("\n")[-1].startswith("Total Test time"), summary)
        self.assertIn("FirstRun.log", self.logs)

    def test_fails_always_is_red(self):
        code, printed = self.run_toy([("a", "integration", FAILS), ("b", "docs", FAILS_ONCE), ("c", "unit", PASSES)])
        self.assertNotEqual(code, 0)
        summary = self.summary(printed)
        self.assertTrue(summary.startswith("66% tests passed, 1 tests failed out of 3\n"), summary)
        failures = summary[summary.index("The following tests FAILED:"):]
        self.assertIn("1 - a (Failed)", failures)
        self.assertNotIn("2 - b", failures)
        self.assertIn("What failed:\n\n  a (", printed)

    def test_a_unit_test_gets_no_second_chance(self):
        code, printed = self.run_toy([("a", "unit", FAILS_ONCE), ("b", "integration", PASSES)])
        self.assertNotEqual(code, 0)
        self.assertNotIn("Once more:", printed)
        self.assertTrue(self.summary(printed).startswith("50% tests passed, 1 tests failed out of 2\n"), printed)

    def test_a_label_of_two_words(self):
        code, printed = self.run_toy([("a", "conformance-threads", FAILS_ONCE), ("b", "unit-threads", PASSES)])
        self.assertEqual(code, 0, printed)
        code, printed = self.run_toy([("a", "unit-threads", FAILS_ONCE)])
        self.assertNotEqual(code, 0)

    def test_only_the_very_test_is_repeated(self):
        code, printed = self.run_toy([("T.a+b", "integration", FAILS_ONCE), ("T.aab", "integration", FAILS)])
        self.assertNotEqual(code, 0)
        self.assertNotIn("1 - T.a+b", self.summary(printed))
        self.assertIn("2 - T.aab (Failed)", self.summary(printed))

    def test_too_many_failures_are_not_repeated(self):
        code, printed = self.run_toy([(f"t{number}", "integration", FAILS_ONCE) for number in range(21)])
        self.assertNotEqual(code, 0)
        self.assertNotIn("Once more:", printed)

    def test_a_skip_counts_where_all_is_required(self):
        tests = [("a", "integration", SKIPS), ("b", "unit", PASSES)]
        self.assertEqual(self.run_toy(tests)[0], 0)
        code, printed = self.run_toy(tests, HOLDFAST_REQUIRE="all")
        self.assertNotEqual(code, 0)
        self.assertIn("was skipped", printed)
        summary = self.summary(printed)
        self.assertTrue(summary.startswith("50% tests passed, 1 tests failed out of 2\n"), summary)
        self.assertIn("FAILED:\n\t  1 - a (Skipped)", summary)
        self.assertNotIn("did not run", summary)

    def test_a_missing_program_is_red(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "CTestTestfile.cmake"), "w") as listing:
                listing.write('add_test(gone "/nonexistent/program")\n')
            done = subprocess.run([sys.executable, TOOL, folder], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertNotEqual(done.returncode, 0)

    def test_a_filter_that_matches_nothing_is_red(self):
        self.assertNotEqual(self.run_toy([("a", "unit", PASSES)], "-R", "nothing_of_that_name")[0], 0)

    def test_what_the_machine_lacks_is_listed_and_all_else_that_is_skipped_fails(self):
        skips = "echo 'avx512 is missing: an old processor'; exit 77"
        tests = [("a", "unit", PASSES), ("b", "unit", skips)]
        code, printed = self.run_toy(tests, HOLDFAST_REQUIRE="all", HOLDFAST_LACKS="avx512")
        self.assertEqual(code, 0, printed)
        self.assertIn("NOT TESTED", printed)
        code, printed = self.run_toy(tests, HOLDFAST_REQUIRE="all", HOLDFAST_LACKS="restic")
        self.assertNotEqual(code, 0, printed)
        self.assertNotEqual(self.run_toy(tests, HOLDFAST_REQUIRE="all")[0], 0)

    def test_the_seed_is_printed_and_kept_for_the_repeat(self):
        shows = "echo Failure; echo \"seed $HOLDFAST_SEED\"; exit 1"
        code, printed = self.run_toy([("a", "integration", shows)])
        seeds = set(re.findall(r"seed (\d+)", printed)) | set(re.findall(r"HOLDFAST_SEED=(\d+)", printed))
        self.assertEqual(len(seeds), 1, printed)
        self.assertIn("HOLDFAST_SEED=7;", self.run_toy([("a", "unit", PASSES)], HOLDFAST_SEED="7")[1])

    ENGINES = [(f"World.{does}/{engine}", "integration", PASSES) for does in ("Falls", "Rises") for engine in "abc"]
    ONE_OF_EACH = "# a comment\n\n3 ^World\\.(\\w+)/\n"

    def ran(self, printed):
        return set(re.findall(r"(World\.\w+/\w+) \.+ +Passed", printed))

    def test_of_each_set_one_is_taken_and_in_time_all(self):
        met = set()
        for seed in range(1, 12):
            code, printed = self.run_toy(self.ENGINES, sampled=self.ONE_OF_EACH, HOLDFAST_SEED=str(seed))
            self.assertEqual(code, 0, printed)
            self.assertIn("4 of 6 tests are left to other seeds", printed)
            ran = self.ran(printed)
            self.assertEqual(sorted(name[:11] for name in ran), ["World.Falls", "World.Rises"], printed)
            self.assertTrue(self.summary(printed).startswith("100% tests passed, 0 tests failed out of 2\n"), printed)
            met |= ran
        self.assertEqual(len(met), 6)
        again = [self.ran(self.run_toy(self.ENGINES, sampled=self.ONE_OF_EACH, HOLDFAST_SEED="5")[1]) for _ in range(2)]
        self.assertEqual(again[0], again[1])

    def test_of_none_none_is_taken_unless_all_are_wanted(self):
        lines = "0 Falls\n3 Rises"
        self.assertEqual(len(self.ran(self.run_toy(self.ENGINES, sampled=lines)[1])), 1)
        printed = self.run_toy(self.ENGINES, sampled=lines, HOLDFAST_ALL_OPERATIONS="1")[1]
        self.assertEqual(len(self.ran(printed)), 6, printed)

    def test_nothing_is_left_out_where_tests_are_chosen_or_all_are_wanted(self):
        for arguments, environment in ((["-R", "World"], {}), ([], {"HOLDFAST_ALL_OPERATIONS": "1"})):
            printed = self.run_toy(self.ENGINES, *arguments, sampled=self.ONE_OF_EACH, **environment)[1]
            self.assertEqual(len(self.ran(printed)), 6, printed)

    def test_a_line_that_names_no_test_or_one_twice_is_an_error(self):
        for lines in ("2 ^Gone", "2 Falls\n2 World"):
            code, printed = self.run_toy(self.ENGINES, sampled=lines)
            self.assertNotEqual(code, 0)
            self.assertIn("sampled.txt: ", printed)


if __name__ == "__main__":
    unittest.main()
