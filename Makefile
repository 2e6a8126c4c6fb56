# Everything runs in a local .venv; `make demo` and `make test` are all that a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python

.PHONY: setup demo demo-short test test-fast test-slow coverage lint docs bench mutants clean

setup: .venv/ready

# constraints.txt pins what the tests were run with; torch and torchvision, which come in pairs, are left to their ranges.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
		{ echo "structpred needs Python 3.11 to 3.13; write for example: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# Learn to sort, with each of the paper's noise settings, on sequences never seen in training.
demo: .venv/ready
	mkdir -p build
	rm -f build/demo.jsonl
	$(RUN) -m tasks.sorting table --lengths 5 10 25 --scales none one adaptive --repetitions 20 --results build/demo.jsonl

demo-short: .venv/ready
	mkdir -p build
	rm -f build/demo-short.jsonl
	$(RUN) -m tasks.sorting table --lengths 5 10 --scales none one adaptive --repetitions 5 --results build/demo-short.jsonl

# One process a core, and so one thread each.
test: .venv/ready
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto

# The library's own tests, with few examples each. Left out are the experiments, the pages, and the laws held against all that
# ships and all that is broken; for the laws of one space: pytest tests/spaces -k Matching
test-fast: .venv/ready
	OMP_NUM_THREADS=1 HYPOTHESIS_PROFILE=fast $(RUN) -m pytest -n auto structpred tests \
		$(addprefix --ignore ,tests/tasks tests/testing tests/benchmarks tests/test_docs.py structpred/testing \
		tests/spaces/test_spaces.py tests/spaces/test_space_batch.py)

# The default tests, and which lines and branches of the library they leave out.
coverage: .venv/ready
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto --cov --cov-report=term

test-slow: .venv/ready
	$(RUN) -m pytest -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# From nothing each time: Sphinx does not see which of its pages a changed module changes.
docs: .venv/ready
	$(RUN) -m sphinx --fresh-env --write-all --fail-on-warning --keep-going --quiet docs build/docs
	$(RUN) docs/check_links.py build/docs
	@echo "The documentation is in build/docs/index.html"

# One table of ratios, on a machine that does nothing else; it goes on where it was stopped.
bench: .venv/ready
	mkdir -p build
	$(RUN) -m benchmarks run --results build/benchmarks.jsonl

# Goes on where it was stopped; MUTANTS="--sample 300 --seed 0" judges a random sample, all of them take hours.
mutants: .venv/ready
	OMP_NUM_THREADS=1 $(RUN) -m benchmarks.mutants run $(MUTANTS)

clean:
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis
