#!/usr/bin/env python3
"""cmake/unity.py: what may share a compilation, and what may not."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "cmake"))
import unity  # noqa: E402


class Unity(unittest.TestCase):
    def batches(self, *codes):
        with tempfile.TemporaryDirectory() as folder:
            sources = []
            for number, code in enumerate(codes):
                path = os.path.join(folder, f"{number}.cpp")
                with open(path, "w") as file:
                    file.write(code)
                sources.append(unity.Source(path))
            return [len(batch) for batch in unity.batches_of(sources)]

    def test_strangers_share(self):
        self.assertEqual(self.batches("namespace {\nint one() { return 1; }\n}\n", "namespace {\nint two() { return 2; }\n}\n"), [2])

    def test_a_name_of_both_parts_them(self):
        for kept in ("int same(int) { return 1; }", "constexpr int same = 1;", "struct same {};", "enum { same };",
                     "using same = int;", "std::vector<int> same{1};", "const char* const same[] = {\"x\"};"):
            code = "namespace {\n" + kept + "\n}\n"
            self.assertEqual(self.batches(code, code), [1, 1], kept)
        static = "namespace n {\nstatic int same(int) { return 1; }\n}\n"
        self.assertEqual(self.batches(static, static), [1, 1])
        macro = "#define same 1\n"
        self.assertEqual(self.batches(macro, macro), [1, 1])

    def test_a_name_that_the_other_uses_parts_them(self):
        own = "namespace n {\nnamespace {\nint text(double) { return 1; }\n}\n}\n"
        self.assertEqual(self.batches(own, "namespace n {\nint f() { return text(1); }\n}\n"), [1, 1])
        self.assertEqual(self.batches("namespace n {\nint f() { return text(1); }\n}\n", own), [1, 1])
        # With an owner before it, it is another one; in a comment or a string it is none.
        self.assertEqual(self.batches(own, "namespace n {\nint f() { return a.text() + b->text() + x::text(); }\n}\n"), [2])
        self.assertEqual(self.batches(own, "// text\nconst char* f() { return \"text\"; }\n"), [2])

    def test_types_that_others_own_part_nothing(self):
        for one in ("struct own : Base {};", "struct own final : n::Base<int> {};", "enum class own : Base { a };",
                    "Base::Inner f(const Base::Other& x) { return x; }"):
            code = "namespace n {\nnamespace {\n" + one + "\n}\n}\n"
            self.assertEqual(self.batches(code, "namespace n {\nBase g() { return Base(1); }\n}\n"), [2], one)
        for one in ("struct own : Base {};", "struct own final : n::Base<int> {};", "enum class own : Base { a };"):
            code = "namespace n {\nnamespace {\n" + one + "\n}\n}\n"
            self.assertEqual(self.batches(code, "namespace n {\nown g();\n}\n"), [1, 1], one)

    def test_what_is_inside_of_a_function_is_its_own(self):
        self.assertEqual(self.batches("namespace {\nint one() { int i = 0; return i; }\n}\n",
                                      "namespace {\nint two() { int i = 0; return i; }\n}\n"), [2])

    def test_macros_for_headers_and_other_libraries_part(self):
        self.assertEqual(self.batches("#define _FOO 1\n#include <string>\n", "int f();\n"), [1, 1])
        self.assertEqual(self.batches("#include <openssl/evp.h>\n", "#include <zstd.h>\n"), [1, 1])
        self.assertEqual(self.batches("using namespace a;\n", "int f();\n"), [1, 1])
        self.assertEqual(self.batches("int main() {}\n", "int f();\n"), [1, 1])

    def test_using_declarations(self):
        one, other = "namespace n {\nusing a::Value;\nValue f();\n}\n", "namespace n {\nusing b::Value;\nValue g();\n}\n"
        self.assertEqual(self.batches(one, one.replace("f()", "g()")), [2])
        self.assertEqual(self.batches(one, other), [1, 1])


if __name__ == "__main__":
    unittest.main()
