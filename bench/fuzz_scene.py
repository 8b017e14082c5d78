"""Breaks scene files in many ways and reads them: no crash, no hang, no memory blow-up.

.venv/bin/python bench/fuzz_scene.py [--cases 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "scene")]

import numpy as np  # noqa: E402
from fuzzing import broken, outcome, targets  # noqa: E402

LIMIT_S = 5.0  # for a case
LIMIT_BYTES = 512 << 20  # beyond what the process has before


class TooSlowError(BaseException):
    """A reader hangs; not an Exception, which a reader might catch."""


def main() -> int:
    """Run the cases; 0 if none failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_slow)
    rng = np.random.default_rng(args.seed)
    counts: Counter[tuple[str, str]] = Counter()
    slowest = (0.0, "")
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = targets(Path(folder))
        valid = [target.path.read_bytes() for target in found]
        size = _status_kb("VmSize") * 1024 + LIMIT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        before = _status_kb("VmHWM")
        for case in range(args.cases):
            which = case % len(found)
            target = found[which]
            content = broken(rng, target, valid[which])
            started = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
            try:
                result = outcome(target, content)
            except (Exception, TooSlowError) as error:  # noqa: BLE001  (finding those is what this is for)
                result = "FAILED"
                what = f"{type(error).__name__}: {str(error)[:300]}"
                print(f"{target.name}: case {case} of seed {args.seed}: {what}", flush=True)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            slowest = max(slowest, (time.perf_counter() - started, target.name))
            counts[target.name, result] += 1
            target.path.write_bytes(valid[which])
        grown = _status_kb("VmHWM") - before
    for target in found:
        row = {result: counts[target.name, result] for result in ("read", "refused", "FAILED")}
        print(f"{target.name:>28}: " + ", ".join(f"{count} {result}" for result, count in row.items()))
    failed = sum(count for (_, result), count in counts.items() if result == "FAILED")
    print(
        f"{args.cases} cases in {time.perf_counter() - begun:.0f} s: {failed} failed; slowest {slowest[0]:.2f} s "
        f"({slowest[1]}); memory grew by {grown / 1024:.0f} MB at most"
    )
    return int(failed > 0)


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError(f"over {LIMIT_S} s")


def _status_kb(key: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    sys.exit(main())
