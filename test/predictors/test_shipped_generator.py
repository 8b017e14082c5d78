"""What the generator that ships predicts for the demo's touches, in a scene that it never saw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from hearing_hands_ros.compare.scoring.listener import MaterialListener
from hearing_hands_ros.demo import hand, motion, world
from hearing_hands_ros.model.checkpoint import read_config
from hearing_hands_ros.predictors.candidates import cut
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.predictors.registry import load_predictor
from hearing_hands_ros.sound.onsets import find_onsets

ROOT = Path(__file__).parents[2]
MODEL, DEMO = ROOT / "models" / "compact", ROOT / "demo"
NS, RATE = 1_000_000_000, 16_000
LEAD_S, TAIL_S = 0.4, 1.0
RIGHT_HAND = 1


@pytest.fixture(scope="module")
def predictor():
    return load_predictor(MODEL, "cpu", DEMO / "scene")


@pytest.fixture(scope="module")
def windows():
    """(patch, window) of every touch of the demo that is alone."""
    truth = yaml.safe_load((DEMO / "truth.yaml").read_text())["touches"]
    events = motion.plan()
    time_s = np.arange(round(motion.duration_s(events) * 30)) / 30
    tips, _ = hand.pose(motion.fingertip(events, time_s), time_s, seed=5)
    keypoints = np.full((len(time_s), 2, 21, 3), np.nan, np.float32)
    keypoints[:, RIGHT_HAND] = world.scene_from_bench(tips.reshape(-1, 3)).reshape(tips.shape)
    valid = np.zeros((len(time_s), 2), np.bool_)
    valid[:, RIGHT_HAND] = True
    contacts = [
        Contact(
            start_ns=round(touch["start_s"] * NS),
            end_ns=round(touch["end_s"] * NS),
            hand=RIGHT_HAND,
            material="",
            position_m=tuple(touch["position_m"]),
            normal=tuple(touch["normal"]),
            approach_speed_mps=touch["approach_speed_mps"],
            slide_speed_mps=touch["slide_speed_mps"],
            kind=touch["kind"],
        )
        for touch in truth
    ]
    whole = HandMotion(0, 30.0, keypoints, valid, tuple(contacts))
    found = []
    for touch, contact in zip(truth, contacts, strict=True):
        others = [abs(other.start_ns - contact.start_ns) for other in contacts if other is not contact]
        if min(others) > LEAD_S * NS:
            start, end = contact.start_ns - round(LEAD_S * NS), contact.end_ns + round(TAIL_S * NS)
            found.append((touch["patch"], touch["material"], cut(replace(whole, contacts=(contact,)), start, end)))
    assert len(found) > 30
    return found


@pytest.fixture(scope="module")
def predicted(predictor, windows):
    return [predictor.predict([window])[0] for _, _, window in windows]


def test_it_is_small_and_says_what_it_is():
    assert sum(path.stat().st_size for path in MODEL.iterdir()) < 40e6
    card = (MODEL / "README.md").read_text()
    for word in ("CC BY-SA 3.0", "Limits", "Licence", "simulated", "demo/bank"):
        assert word in card
    config = read_config(MODEL)
    assert config["training"]["origin"] == "simulated"
    assert "Wildfire Games" in config["licence"]


def test_a_tap_is_heard_when_it_happens(windows, predicted):
    hits = taps = 0
    for (_, _, window), prediction in zip(windows, predicted, strict=True):
        if window.contacts[0].kind == "tap":
            taps += 1
            at_s = (window.contacts[0].start_ns - prediction.start_ns) / NS
            hits += any(abs(onset - at_s) < 0.05 for onset in find_onsets(prediction.audio))
    assert hits >= 0.9 * taps


def test_it_sees_what_is_touched(windows, predicted):
    """The material is never told; the listener names it from the sound."""
    listener = MaterialListener.load(ROOT / "models" / "listener")
    right = []
    for (_, material, window), prediction in zip(windows, predicted, strict=True):
        at_s = (window.contacts[0].start_ns - prediction.start_ns) / NS
        heard = listener.listen(prediction.audio, window.contacts[0].kind, at_s)
        right.append(listener.materials[int(heard.argmax())] == material)
    assert np.mean(right) >= 0.6  # one of eight by chance: 0.13


def test_a_faster_tap_is_louder_and_no_touch_is_quiet(predictor, windows):
    _, _, window = next(w for w in windows if w[2].contacts[0].kind == "tap")
    (contact,) = window.contacts
    levels = []
    for speed in (0.1, 0.3, 0.9):
        prediction = predictor.predict([replace(window, contacts=(replace(contact, approach_speed_mps=speed),))])[0]
        levels.append(float(np.abs(prediction.audio).max()))
    assert levels == sorted(levels)
    assert levels[2] > 3 * levels[0]
    nothing = predictor.predict([replace(window, contacts=())])[0]
    assert float(np.abs(nothing.audio).max()) < 0.3 * levels[1]


def test_candidates_of_a_batch_sound_as_they_do_alone(predictor, windows, predicted):
    few = [window for _, _, window in windows[:3]]
    for alone, together in zip(predicted[:3], predictor.predict(few), strict=True):
        np.testing.assert_allclose(together.log_mel, alone.log_mel, atol=0.1)  # of bfloat16
