"""The same recording offline and through the running graph: the same predictions and verdicts."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.replay.result import read_results

DEMO = Path(__file__).parents[2] / "demo"
SECONDS = 11.6
TOLERANCE = 1e-5
"""Messages carry scores and p-values as float32; predictions are equal to the last bit."""


def test_offline_and_live_say_the_same(demo_begin, private_domain, tmp_path):
    """The demo's first seconds with the generator that ships, of which some touches are odd."""
    files = {"--scene": "scene", "--params-file": "params.yaml", "--calibration": "calibration.yaml"}
    given = [demo_begin(SECONDS), *(word for name, file in files.items() for word in (name, DEMO / file))]
    for name, words in (("offline", ()), ("live", ("--live",))):
        done = main(["replay", *map(str, (*given, "--out", tmp_path / name, *words))])
        log = tmp_path / name / "graph.log"
        assert done == 0, log.read_text()[-3000:] if log.is_file() else ""
    offline, live = read_results(tmp_path / "offline"), read_results(tmp_path / "live")
    assert (offline.run.mode, live.run.mode) == ("offline", "live")
    ours, theirs = list(offline.touches()), list(live.touches())
    assert len(ours) == len(theirs) > 6
    assert len({touch.verdict for touch in ours} - {"UNKNOWN"}) > 1
    for one, other in zip(ours, theirs, strict=True):
        assert (one.stamp_ns, one.since_ns, one.kind) == (other.stamp_ns, other.since_ns, other.kind)
        for sound in ("heard", "predicted"):
            wave, same = (soundfile.read(getattr(results, sound)(one))[0] for results in (offline, live))
            assert np.array_equal(wave, same), f"{sound} of touch {one.number}"
        assert (one.verdict, one.material, one.company) == (other.verdict, other.material, other.company)
        assert one.p_value == pytest.approx(other.p_value, rel=TOLERANCE, nan_ok=True)
        assert one.scores.keys() == other.scores.keys()
        for name, score in one.scores.items():
            assert score == pytest.approx(other.scores[name], rel=TOLERANCE, abs=TOLERANCE, nan_ok=True), name
        assert math.isnan(one.latency_s)
        assert other.latency_s > 0.0
