# The front door. `make check` is what a change must pass; `make test` is what CI runs.
JOBS ?= $(shell nproc)
BUILD ?= build

.PHONY: setup build test demo bench lint check clean docs

setup:            ## install packages and peers; does nothing when all is there
	@tools/setup

build: $(BUILD)/build.ninja  ## build/holdfast, optimised
	@ninja -C $(BUILD) -j$(JOBS) holdfast

$(BUILD)/build.ninja:
	@tools/setup --check || tools/setup
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release

test: $(BUILD)/build.ninja   ## everything: unit, session, conformance, integration
	@ninja -C $(BUILD) -j$(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j2 --timeout 600 $(CTEST_ARGS)

demo: build       ## the story of the README, on real servers
	@tools/demo

bench: build      ## side by side with restic, as ratios
	@tools/bench

lint: $(BUILD)/build.ninja   ## format, tidy, layers, thread safety
	@tools/lint

check: lint test

docs: build       ## docs/reference and man pages from the command table
	@$(BUILD)/holdfast docs . --quiet

clean:
	@rm -rf build build-*
