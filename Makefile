# The front door. `make check` is what a change must pass; `make test` is what CI runs.
JOBS ?= $(shell nproc)
BUILD ?= build
# Tests of servers mostly wait, so one more than there are processors runs.
TEST_JOBS ?= $(shell expr $(JOBS) + 1)

.PHONY: setup configure build package test test-all test-versions demo bench lint asan tsan fuzz check clean docs prepared

setup:            ## install all packages and peers; does nothing when all is there
	@tools/setup

prepared:
	@tools/setup --check build >/dev/null || tools/setup build

# UNITY=ON compiles sources several at once (cmake/unity.py), chosen anew each time. For work on single files configure a
# folder of your own: cmake --preset dev
UNITY ?= ON
configure: prepared
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DHOLDFAST_UNITY=$(UNITY) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

build: configure  ## build/holdfast, optimised
	@ninja -C $(BUILD) -j$(JOBS) holdfast

# A peer that cannot be fetched (exit 3) does not stop the tests: those that need it say so, or fail under HOLDFAST_REQUIRE.
test:             ## unit, session, conformance, integration; of long sweeps a part, another one each time
	@tools/setup build demo test || [ $$? -eq 3 ]
	@$(MAKE) --no-print-directory configure
	@ninja -C $(BUILD) -j$(JOBS)
	@tools/run_tests $(BUILD) --sampled tests/sampled.txt -j$(TEST_JOBS) --timeout 600 $(CTEST_ARGS)

test-all:         ## every point of every sweep, sanitizers, fuzzing, speed of triage: hours
	@tools/setup build demo test lint || [ $$? -eq 3 ]
	@$(MAKE) --no-print-directory asan
	@$(MAKE) --no-print-directory tsan
	@$(MAKE) --no-print-directory fuzz
	@HOLDFAST_ALL_OPERATIONS=1 $(MAKE) --no-print-directory test CTEST_ARGS="-C all --timeout 7200 $(CTEST_ARGS)"
	@if [ "$$(id -u)" = 0 ] || [ -n "$$HOLDFAST_REQUIRE" ]; then $(MAKE) --no-print-directory test-versions; else echo "test-versions: left out, it needs root"; fi

test-versions:    ## tests on servers again, with those of Debian 13, and on a Debian 13 (root); of the first a part, another one each time
	@tools/setup build demo test || [ $$? -eq 3 ]
	@tools/peers/debian13
	@tools/peers/debian13_system
	@$(MAKE) --no-print-directory configure
	@ninja -C $(BUILD) -j$(JOBS)
	@tools/with_debian13 tools/run_tests $(BUILD) --sampled tests/sampled.txt -j$(TEST_JOBS) --timeout 600 -L integration \
	  -E '[Mm]ysql|Existing|Restored|Package|TriageSpeed' $(CTEST_ARGS)
	@HOLDFAST_TEST_SYSTEM=$${HOLDFAST_PEERS:-/opt/holdfast/peers}/debian13-system tools/run_tests $(BUILD) -j2 --timeout 900 \
	  -R '(Existing|Restored)(Servers|Mariadb|Galera)\.' -E /mysql $(CTEST_ARGS)

package: build    ## a Debian package and a .tar.zst, in build/packages
	@ninja -C $(BUILD) -j$(JOBS) completions
	@cd $(BUILD) && rm -rf packages && cpack >package.log 2>&1 || { cat package.log; exit 1; }
	@ls $(BUILD)/packages/*.deb $(BUILD)/packages/*.tar.zst

demo:             ## the story of the README, on real servers
	@tools/setup build demo
	@$(MAKE) --no-print-directory build
	@tools/demo

bench: build      ## side by side with restic, as ratios
	@tools/bench

lint: configure   ## format, tidy, layers, thread safety
	@tools/setup --check lint >/dev/null || tools/setup lint
	@tools/lint

asan:             ## unit and crash tests with ASan and UBSan
tsan:             ## tests that run threads, with TSan
asan: programs = unit_tests
tsan: programs = thread_tests
# The sanitizers of g++ 12 do not find room for their shadow memory where the kernel spreads mappings over 32 bits
# (vm.mmap_rnd_bits), so addresses stay in order wherever that may be asked for (some containers refuse).
in_order = $(shell setarch -R true 2>/dev/null && echo setarch -R)
asan tsan: prepared
	@cmake --preset $@ >/dev/null
	@ninja -C build-$@ -j$(JOBS) $(programs)
	@$(in_order) ctest --preset $@ -j$(TEST_JOBS) --timeout 900 $(CTEST_ARGS)

FUZZ_SECONDS ?= 60
fuzz: prepared    ## each parser of what others send, for FUZZ_SECONDS, from its corpus
	@tools/setup --check lint >/dev/null || tools/setup lint
	@cmake --preset fuzz >/dev/null
	@ninja -C build-fuzz -j$(JOBS) fuzz_programs
	@tools/fuzz build-fuzz $(FUZZ_SECONDS) $(JOBS)

check: lint test

docs: build       ## docs/reference and man pages from the command table
	@$(BUILD)/holdfast docs . --quiet >/dev/null

clean:
	@rm -rf build build-*
