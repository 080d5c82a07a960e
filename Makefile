# The front door. `make check` is what a change must pass; `make test` is what CI runs.
JOBS ?= $(shell nproc)
BUILD ?= build

.PHONY: setup build test demo bench lint asan tsan check clean docs prepared

setup:            ## install all packages and peers; does nothing when all is there
	@tools/setup

prepared:
	@tools/setup --check build >/dev/null || tools/setup build

build: prepared $(BUILD)/build.ninja  ## build/holdfast, optimised
	@ninja -C $(BUILD) -j$(JOBS) holdfast

$(BUILD)/build.ninja: | prepared
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release

# A peer that cannot be fetched (exit 3) does not stop the tests: those that need it say so, or fail under HOLDFAST_REQUIRE.
test: $(BUILD)/build.ninja   ## everything: unit, session, conformance, integration
	@tools/setup build demo test || [ $$? -eq 3 ]
	@ninja -C $(BUILD) -j$(JOBS)
	@tools/run_tests $(BUILD) -j2 --timeout 600 $(CTEST_ARGS)

demo:             ## the story of the README, on real servers
	@tools/setup build demo
	@$(MAKE) --no-print-directory build
	@tools/demo

bench: build      ## side by side with restic, as ratios
	@tools/bench

lint: $(BUILD)/build.ninja   ## format, tidy, layers, thread safety
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
	@$(in_order) ctest --preset $@ --timeout 900 $(CTEST_ARGS)

check: lint test

docs: build       ## docs/reference and man pages from the command table
	@$(BUILD)/holdfast docs . --quiet >/dev/null

clean:
	@rm -rf build build-*
