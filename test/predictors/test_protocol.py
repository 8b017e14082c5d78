from dataclasses import replace

import numpy as np
import pytest

from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Prediction

TAP = Contact(10**9, 10**9 + 5, 1, "wood", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.5, 0.0, "tap")


def motion(frames=30, contacts=(), **changes):
    fields = {
        "start_ns": 0,
        "rate_hz": 30.0,
        "keypoints": np.zeros((frames, 2, 21, 3), np.float32),
        "valid": np.ones((frames, 2), bool),
        "contacts": contacts,
    }
    return HandMotion(**{**fields, **changes})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("end_ns", 0),
        ("hand", 2),
        ("kind", "kick"),
        ("approach_speed_mps", -0.1),
        ("slide_speed_mps", float("inf")),
        ("position_m", (0.0, float("nan"), 0.0)),
        ("normal", (0.0, 1.0)),
    ],
)
def test_impossible_contact_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        replace(TAP, **{field: value})


def test_invalid_hands_may_be_nan_and_valid_ones_not():
    keypoints = np.zeros((30, 2, 21, 3), np.float32)
    keypoints[3, 1, 5, 0] = np.nan
    valid = np.ones((30, 2), bool)
    with pytest.raises(ValueError, match="1 hand frame"):
        motion(keypoints=keypoints, valid=valid)
    valid[3, 1] = False
    assert motion(keypoints=keypoints, valid=valid).duration_s == 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keypoints", np.zeros((30, 2, 21), np.float32)),
        ("keypoints", np.zeros((0, 2, 21, 3), np.float32)),
        ("valid", np.ones((30, 2), np.uint8)),
        ("rate_hz", 0.0),
        ("contacts", (replace(TAP, start_ns=7, end_ns=8), replace(TAP, start_ns=6, end_ns=8))),
    ],
)
def test_impossible_motion_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        motion(**{field: value})


@pytest.mark.parametrize("field", ["audio", "log_mel", "log_mel_std"])
def test_prediction_with_nan_is_refused(field):
    fields = {
        "audio": np.zeros(2560, np.float32),
        "log_mel": np.zeros((80, 10), np.float32),
        "log_mel_std": np.zeros((80, 10), np.float32),
    }
    fields[field].flat[3] = np.nan
    with pytest.raises(ValueError, match=f"{field} wanted finite"):
        Prediction(0, 16000, **fields, contacts=(), predictor="example", model="m", latency_s=0.0)
