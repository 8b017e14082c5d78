"""Which recordings the demo's calibration is made of."""

from pathlib import Path

import yaml

from hearing_hands_ros.demo.normal import heard_in_demo, unheard
from hearing_hands_ros.train.simulator.voices import recordings_of

DEMO = Path(__file__).parents[2] / "demo"


def test_the_calibration_hears_nothing_of_the_demo_and_little_that_the_generator_learnt_from():
    rows = unheard(DEMO)
    files = [row["file"] for row in rows]
    assert len(heard_in_demo(DEMO)) == 41
    assert not {f"held_out/{file}" for file in heard_in_demo(DEMO)} & set(files)
    assert len(set(files)) == len(files)
    known = {f"bank/{e.file}" for e in recordings_of("train", DEMO / "bank", DEMO / "held_out", 16000).exemplars}
    hard = [
        row["file"] for row in rows if row["material"] in ("wood", "metal", "stone", "dirt") and row["action"] == "tap"
    ]
    assert len(hard) > 40
    assert not known & set(hard), "of these enough is left that is new to it"


def test_feet_tread_only_where_nothing_else_was_recorded():
    """Footsteps on wooden boards are far from any tap: as normal touches they would hide anomalies."""
    rows = yaml.safe_load((DEMO / "held_out" / "bank.yaml").read_text())["recordings"]
    assert any(row["material"] == "wood" and row["tool"] == "foot" for row in rows)
    assert {row["material"] for row in unheard(DEMO) if row["tool"] == "foot"} == {"grass", "gravel", "sand", "snow"}
