"""The same recording offline and through the running graph: the same predictions and verdicts."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.replay.result import read_results

DEMO = Path(__file__).parents[2] / "demo"
SECONDS = 15.0
TOLERANCE = 1e-5
"""Messages carry scores and p-values as float32; nothing else differs."""


@pytest.fixture(scope="module")
def both(demo_begin, tmp_path_factory):
    """Results of the demo's first seconds with the generator that ships: offline and live."""
    bag, folder = demo_begin(SECONDS), tmp_path_factory.mktemp("both")
    given = (
        "--scene",
        DEMO / "scene",
        "--params-file",
        DEMO / "params.yaml",
        "--calibration",
        DEMO / "calibration.yaml",
    )
    for name, words in (("offline", ()), ("live", ("--live",))):
        done = main(["replay", *map(str, (bag, *given, "--out", folder / name, *words))])
        log = folder / name / "graph.log"
        assert done == 0, log.read_text()[-3000:] if log.is_file() else ""
    return read_results(folder / "offline"), read_results(folder / "live")


@pytest.mark.timeout(240)
@pytest.mark.flaky(reruns=1)
def test_offline_and_live_say_the_same(both, private_domain):
    offline, live = both
    assert (offline.run.mode, live.run.mode) == ("offline", "live")
    ours, theirs = list(offline.touches()), list(live.touches())
    assert len(ours) == len(theirs) > 8
    for one, other in zip(ours, theirs, strict=True):
        assert (one.stamp_ns, one.since_ns, one.kind) == (other.stamp_ns, other.since_ns, other.kind)
        assert (one.verdict, one.material, one.company) == (other.verdict, other.material, other.company)
        assert one.p_value == pytest.approx(other.p_value, rel=TOLERANCE, nan_ok=True)
        assert one.scores.keys() == other.scores.keys()
        for name, score in one.scores.items():
            assert score == pytest.approx(other.scores[name], rel=TOLERANCE, abs=TOLERANCE, nan_ok=True)
        assert math.isnan(one.latency_s)
        assert other.latency_s > 0.0


@pytest.mark.timeout(240)
@pytest.mark.flaky(reruns=1)
def test_predictions_are_equal_bit_for_bit_and_so_is_what_was_heard(both, private_domain):
    for touch in both[0].touches():
        for sound in ("heard", "predicted"):
            one, other = (soundfile.read(getattr(results, sound)(touch))[0] for results in both)
            assert np.array_equal(one, other), f"{sound} of touch {touch.number}"
