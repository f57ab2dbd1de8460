# The checks people run are the checks CI runs. Each target makes what it needs.
PYTHON ?= python3
BIN := .venv/bin
STAMPS := .venv/stamps
SPHINX := $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
CORE := $(wildcard native/*.txt native/*.cmake native/*.?pp native/*.inc native/*/*.hpp)
export DELTARULE_WERROR := ON

BENCHMARKS := speed calls growth memory
PART := 1/1
PAGES := $(shell grep -lw chromium tests/test_*.py)

.PHONY: help demo test test-browser clusters bench reproduce parity fuzz check sanitize baseline neon wheel \
        clang pure oldest docs constraints clean

help:
	@echo "make demo    train on a built-in data set, held-out figures beside baselines"
	@echo "make test    the test suite, except what needs a browser"
	@echo "make test-browser the rest of it: the pages in a headless browser (Debian: apt install chromium)"
	@echo "make clusters keyed training on Dask and Ray clusters of two workers on this machine"
	@echo "make bench   speed, single calls, growth, memory beside peers, into docs/performance.md"
	@echo "make reproduce fit seed 0 of the published tables again, compare with docs/results.md"
	@echo "make parity  every engine against the reference, the full product; a part: PART=3/40"
	@echo "make fuzz    100,000 damaged files for the readers, 50 times the suite's examples, atheris (finds: build/fuzz)"
	@echo "make check   lint, format, types, import contract, documentation, workflows"
	@echo "make baseline the engine's Python tests on lesser instruction sets"
	@echo "make sanitize the compiled core's own tests under sanitizers"
	@echo "make neon    the same tests for 64-bit ARM, cross-compiled, run by qemu"
	@echo "make wheel   a wheel as for a release, and the suite against it outside this tree"
	@echo "make clang   the same compiled by Clang, and the tests of the compiled core (Debian: apt install clang)"
	@echo "make pure    the same without the compiled core"
	@echo "make oldest  every command on the lowest versions that pyproject.toml declares"
	@echo "make docs    the documentation, into docs/_build/html"

# What builds the core stays in the environment: in an isolated one it would be compiled again for
# every stamp.
$(STAMPS)/venv: constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt scikit-build-core nanobind cmake ninja
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/%: $(STAMPS)/venv pyproject.toml constraints.txt $(CORE)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[$*]'
	@touch $@

demo: $(STAMPS)/all
	$(BIN)/deltarule train digits

# All that one process, or several it starts, can show without a browser.
test: $(STAMPS)/test
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not browser"

# The pages' scripts give the engines' numbers and answer clicks and keys; where a browser is missing it fails.
test-browser: $(STAMPS)/browser
	DELTARULE_BROWSER=required $(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(PAGES) -m browser

# Keyed training on real clusters; where Dask or Ray is missing it fails.
clusters: $(STAMPS)/clusters
	DELTARULE_CLUSTERS=required $(BIN)/python -m pytest tests/test_clusters.py

bench: $(STAMPS)/bench
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --docs || exit 1; done

reproduce: $(STAMPS)/all
	$(BIN)/python benchmarks/reproduce.py

parity: $(STAMPS)/test
	DELTARULE_PARITY=$(PART) $(BIN)/python -m pytest tests/test_parity.py --numprocesses auto

fuzz: $(STAMPS)/test
	$(BIN)/python -m tests.fuzz 100000 0
	DELTARULE_FUZZ=50 $(BIN)/python -m pytest tests -m fuzz --timeout=0
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python -m tests.fuzz.readers -runs=100000

check: $(STAMPS)/check
	$(BIN)/python docs/tables.py --check
	$(BIN)/python docs/commands.py --check
	$(BIN)/python docs/prose.py
	$(BIN)/python docs/pictures.py --check
	$(BIN)/python docs/outputs.py --check
	$(SPHINX)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/architecture.py
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

# The core's own tests: memory and undefined behaviour, then races.
sanitize: build/sanitize-address,undefined build/sanitize-thread

build/sanitize-%: FORCE
	cmake -S native/tests -B $@ -DDELTARULE_SANITIZE=$*
	cmake --build $@ --parallel 2
	ctest --test-dir $@ --output-on-failure

# The compiled engine as lesser processors run it: on each instruction set but the one chosen here.
baseline: $(STAMPS)/test
	for isa in $$($(BIN)/python -c "from deltarule.engines import native; \
	    print(*native.capabilities().available[1:])"); do \
	  echo "instruction set: $$isa"; \
	  DELTARULE_ISA=$$isa $(BIN)/python -m pytest tests/test_native_engine.py tests/test_native_input.py tests/test_native_math.py || exit 1; \
	done

# The core's own tests for NEON. Debian: apt-get install g++-aarch64-linux-gnu qemu-user
neon: FORCE
	cmake -S native/tests -B build/neon -DCMAKE_TOOLCHAIN_FILE=aarch64.cmake
	cmake --build build/neon --parallel 2
	ctest --test-dir build/neon --output-on-failure

FORCE:

# A wheel holds what it needs: the suite outside this tree, where nothing of src/ can be imported.
wheel:
	.ci/wheel

# clang: a second compiler builds the core without a warning, and its kernels give the same numbers.
# pure: a wheel without the core installs, and what needs no core works.
clang pure:
	.ci/wheel $@

# What can depend on versions, the calls to other packages, works with the lowest that are declared.
oldest:
	.ci/oldest

docs: $(STAMPS)/check
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/commands.py
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/outputs.py
	$(SPHINX)

# The versions the tests run with; open for users.
constraints:
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf .venv build docs/_build
