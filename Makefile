# Two commands do everything on a machine with pip and no ROS:  make demo  and  make test
# Both set themselves up: a virtual environment in .venv at the versions of requirements/lock.txt; the tests take those of
# requirements/lock-test.txt too.

PYTHON ?= python3
VENV ?= .venv
PYTEST = $(VENV)/bin/python -m pytest
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
INSTALLED = action cmake config demo hearing_hands_ros launch models msg srv tf2_msgs \
  CMakeLists.txt package.xml pyproject.toml setup.py README.md
# PyTorch's builds without CUDA: a tenth of the size of PyPI's. Only asked where there is no NVIDIA driver.
TORCH_CPU ?= https://download.pytorch.org/whl/cpu
OUT ?= out

.PHONY: demo test setup setup-test lint format bench clean
.DELETE_ON_ERROR:

demo: setup                  ## play the recorded hand into the live graph, write $(OUT)/report.html
	@requirements/system.sh
	$(VENV)/bin/hearing-hands demo --out $(OUT)

test: setup-test lint             ## everything that continuous integration runs
	@requirements/system.sh --browser
	@failed=0; \
	echo "== tests, as many at once as there are cores"; \
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(PYTEST) -m "not live" -n logical --maxprocesses 4 --dist worksteal || failed=1; \
	echo "== tests in real time, two files at once"; \
	$(PYTEST) -m live -n 2 --dist loadfile || \
	  { [ $$? -eq 1 ] && echo "== those of them that failed, alone" && $(PYTEST) -m live --last-failed; } || failed=1; \
	exit $$failed

setup: $(VENV)/.installed

$(VENV)/.locked: requirements/lock.txt requirements/system.sh
	@requirements/system.sh --build
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@command -v nvidia-smi > /dev/null || $(PIP) install --quiet --timeout 5 --retries 0 --no-deps \
	  --index-url $(TORCH_CPU) $$(grep -E '^torch(vision)?==' requirements/lock.txt) 2> /dev/null || \
	  echo "torch: $(TORCH_CPU) has nothing for this machine, taking it from PyPI"
	$(PIP) install --quiet --requirement requirements/lock.txt
	@touch $@

setup-test: $(VENV)/.locked-test setup

$(VENV)/.locked-test: requirements/lock-test.txt $(VENV)/.locked
	$(PIP) install --quiet --requirement requirements/lock-test.txt
	$(PIP) install --quiet --no-deps aisfx==0.1.2  # its pins would forbid all others
	@touch $@

# Only when something that is installed has changed: a second call costs nothing.
$(VENV)/.installed: $(VENV)/.locked $(shell find $(INSTALLED) -type f -not -path '*/__pycache__/*' 2>/dev/null)
	$(PIP) install --quiet --no-build-isolation --no-deps --force-reinstall .
	@touch $@

lint: setup-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: setup-test
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: setup-test                 ## every benchmark, as numbers; nothing is asserted
	@for file in bench/*.py; do echo "== $$file"; $(VENV)/bin/python $$file || exit 1; done

clean:
	rm -rf build out $(VENV)
