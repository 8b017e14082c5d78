"""How long after the end of a touch its prediction is out, in the live graph of the demo.

    .venv/bin/python bench/live_latency.py [--runs 2] [views=bare views=baked ...]

The demo's recording is played in real time through all seven nodes, over DDS, as `hearing-hands demo` does, for each
way in turn. A way is one or more arguments of the launch files, e.g. "views=baked model=my_checkpoint". The latency is
what `SoundPrediction.latency` says: from the time at which the hand left the surface to the moment of publishing; so it
holds what passes until the tracker knows that the touch is over. Computing is the part that the predictor takes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)  # of the nodes

from hearing_hands_ros.cli.demo import LOOKED_UP, Truth, bake, own_domain, play, read_truth  # noqa: E402
from hearing_hands_ros.cli.up import flag_of  # noqa: E402
from hearing_hands_ros.graph import share_directory  # noqa: E402

ASKED_MS = {"bare": 250, "baked": 120}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", default=[f"views={views}" for views in ASKED_MS])
    parser.add_argument("--runs", type=int, default=2, help="of each way, taking turns")
    args = parser.parse_args()
    console = Console(highlight=False)
    if any(f"views={views}" in way for way in args.ways for views in LOOKED_UP):
        bake(console)
    truth = read_truth(share_directory() / "demo" / "truth.yaml")
    latency_s: dict[str, list[float]] = {way: [] for way in args.ways}
    compute_s: dict[str, list[float]] = {way: [] for way in args.ways}
    for number in range(args.runs):
        for way in args.ways:
            load = os.getloadavg()[0]
            latencies, computing = run(console, truth, way)
            latency_s[way] += latencies
            compute_s[way] += computing
            print(f"{way}, run {number + 1}, load before {load:.1f}: {line(latencies, computing)}", flush=True)
    for way in args.ways:
        print(f"{way}, all {args.runs} runs: {line(latency_s[way], compute_s[way])}")
    print("asked, p95: " + ", ".join(f"views {views} {most} ms" for views, most in ASKED_MS.items()))


def run(console: Console, truth: Truth, way: str) -> tuple[list[float], list[float]]:
    """Play the demo once; latencies and times of computing, s."""
    own_domain()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "graph.log"
        recording, code = play(console, log, truth, words(way))
        if code != 0 or not recording.predictions:
            sys.exit(f"{way}: the graph did not run through (code {code})\n{log.read_text()[-3000:]}")
    made = recording.predictions.values()
    kinds = [prediction.contacts[-1].kind for prediction in made]
    for kind in sorted(set(kinds)):
        late_s = [late for late, of in zip(recording.prediction_latency_s, kinds, strict=True) if of == kind]
        p50, p95 = (1e3 * np.percentile(late_s, p) for p in (50, 95))
        print(f"  {way}, {kind}s: {len(late_s)} predictions, p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    return recording.prediction_latency_s, [prediction.latency_s for prediction in made]


def words(way: str) -> list[str]:
    """Arguments of the launch files as those of `hearing-hands up`."""
    return [word for part in way.split() for word in (flag_of(part.split("=")[0]), part.split("=", 1)[1])]


def line(latency_s: Sequence[float], compute_s: Sequence[float]) -> str:
    """Both in figures."""
    after, p95 = (1e3 * np.percentile(latency_s, p) for p in (50, 95))
    computing = " / ".join(f"{1e3 * np.percentile(compute_s, p):.0f}" for p in (50, 95))
    return (
        f"{len(latency_s)} predictions, p50 {after:.0f} ms, p95 {p95:.0f} ms, latest {1e3 * max(latency_s):.0f} ms; "
        f"computing p50 / p95 {computing} ms"
    )


if __name__ == "__main__":
    main()
