#!/usr/bin/env bash
# Rewrites requirements/lock.txt: everything that a build, a test run and the demo install, for Python 3.10 to 3.13.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 - > requirements/build.tmp <<'PYTHON'
import tomllib
print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"]))
PYTHON
uv pip compile --universal --python-version 3.10 --extra test pyproject.toml requirements/build.tmp \
  --no-header --no-annotate --output-file requirements/lock.txt "$@"
rm requirements/build.tmp
