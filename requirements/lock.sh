#!/usr/bin/env bash
# Rewrites requirements/lock.txt (build and run) and lock-test.txt (that and everything optional), for Python 3.10 to 3.13.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(mktemp)
trap 'rm -f "$build"' EXIT
python3 - > "$build" <<'PYTHON'
import tomllib
print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"]))
PYTHON
compile() {
  uv pip compile --universal --python-version 3.10 --no-header --no-annotate --no-strip-extras "$@" pyproject.toml "$build" |
    grep -Ev '^(nvidia-|cuda-|triton)'  # torch names these to the version, and its build for a CPU needs none of them
}
compile --extra test --extra scene --extra vision --extra train > requirements/lock-test.txt
compile --constraint requirements/lock-test.txt > requirements/lock.txt
