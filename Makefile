# One command a habit, the same on a laptop and in CI.
#   make demo    the recognition of digits, from nothing to a word error rate
#   make test    the whole test suite
#   make check   formatting, lint, types
#   make bench   the benchmarks that need neither a model nor data; these want them:
#                benchmarks/streaming.py, language_models.py, outside_words.py, surroundings.py (a model,
#                manifests), ngrams.py (text), opening.py (an ARPA file); long_audio.py and transcribe.py take a
#                model, too

VENV := .venv
# The first Python of a supported version that really runs; override with PYTHON=...
PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	2>/dev/null && echo $$python && break; done)

.PHONY: demo test check bench clean

demo: $(VENV)/.has-demo
	$(VENV)/bin/asr run recipes/digits
	@echo "A recording of a voice that was never trained on:"
	$(VENV)/bin/asr transcribe --model exp/digits exp/digits/01_prepare/audio/test/test-00000.wav

test: $(VENV)/.has-test
	$(VENV)/bin/python -m pytest

check: $(VENV)/.has-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

bench: $(VENV)/.has-test $(VENV)/.has-bench
	$(VENV)/bin/python benchmarks/training.py
	$(VENV)/bin/python benchmarks/training.py --busy
	$(VENV)/bin/python benchmarks/training.py --epoch
	$(VENV)/bin/python benchmarks/scaling.py
	$(VENV)/bin/python benchmarks/decoding.py
	$(VENV)/bin/python benchmarks/scoring.py
	$(VENV)/bin/python benchmarks/report.py
	$(VENV)/bin/python benchmarks/long_audio.py --minutes 10 60
	$(VENV)/bin/python benchmarks/transcribe.py --seconds 3 600

clean:
	rm -rf $(VENV)

# requirements.lock names the versions that the figures in the READMEs were made with.
$(VENV)/.has-%: $(VENV)/bin/python pyproject.toml requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint requirements.lock --editable '.[$*]'
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { \
		echo "make: no Python 3.11 or 3.12 found; install one, or say make PYTHON=/path/to/python" >&2; \
		exit 2; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) and installing into it: PyTorch is large, this takes minutes."
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }
