"""What a predictor gives back is looked at before anybody hears it."""

from dataclasses import replace

import numpy as np
import pytest

from hearing_hands_ros.predictors.checked import predict_checked
from hearing_hands_ros.predictors.protocol import HandMotion, Prediction
from hearing_hands_ros.sequence import SequenceConfig

MOTION = HandMotion(0, 30.0, np.zeros((30, 2, 21, 3), np.float32), np.ones((30, 2), bool))
FRAMES = SequenceConfig().mel_frames(MOTION.duration_s)
WAVE, MEL = np.zeros(256 * FRAMES, np.float32), np.zeros((80, FRAMES), np.float32)
GOOD = Prediction(0, 16000, WAVE, MEL, MEL, (), "made up", "made up@0", 0.0)


class MadeUp:
    name, model, config = "made up", "made up@0", SequenceConfig()

    def __init__(self, given):
        self._given = given

    def predict(self, motions):
        return self._given


def test_what_is_as_it_should_be_comes_through():
    assert predict_checked(MadeUp([GOOD, GOOD]), [MOTION, MOTION]) == [GOOD, GOOD]
    assert predict_checked(MadeUp([]), []) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "wanted 1 predictions, got 0"),
        ([GOOD, GOOD], "wanted 1 predictions, got 2"),
        (None, "wanted 1 predictions, got NoneType"),
        ([None], "wanted a Prediction, got NoneType"),
        ([replace(GOOD, start_ns=5)], "start_ns wanted 0, got 5"),
        ([replace(GOOD, sample_rate_hz=8000)], "sample_rate_hz wanted 16000, got 8000"),
        ([replace(GOOD, log_mel=MEL[:40], log_mel_std=MEL[:40])], r"log_mel wanted \(80, 62\), got \(40, 62\)"),
        ([replace(GOOD, audio=WAVE[:256])], r"audio wanted \(15872,\), got \(256,\)"),
    ],
)
def test_what_is_not_is_named(given, said):
    with pytest.raises(ValueError, match=f"predictor 'made up': {said}"):
        predict_checked(MadeUp(given), [MOTION])
