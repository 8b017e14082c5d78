"""A prediction of which a part did not happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Prediction

FADE_S: Final = 0.032


def leave_out(prediction: Prediction, from_ns: int, length_ns: int) -> Prediction:
    """A prediction without a part of its time; what came after it comes sooner.

    Args:
        prediction: Of more than that.
        from_ns: Where the part begins.
        length_ns: How long it is; whole mel frames of it are left out.

    Returns:
        The same prediction, shorter. The sound is faded over `FADE_S` from one side of the part to the other.

    Raises:
        ValueError: Nothing would be left.
    """
    hop = len(prediction.audio) // prediction.log_mel.shape[1]
    hop_ns = hop * NANOSECONDS / prediction.sample_rate_hz
    first, count = round((from_ns - prediction.start_ns) / hop_ns), round(length_ns / hop_ns)
    if first < 0 or first + count > prediction.log_mel.shape[1] or count == prediction.log_mel.shape[1]:
        raise ValueError(
            f"leave_out: wanted less than the {prediction.log_mel.shape[1]} mel frames of a prediction, "
            f"got {count} from frame {first} on"
        )
    if count <= 0:
        return prediction
    part = slice(first, first + count)
    return replace(
        prediction,
        audio=_joined(prediction.audio, first * hop, count * hop, round(FADE_S * prediction.sample_rate_hz)),
        log_mel=np.delete(prediction.log_mel, part, axis=1),
        log_mel_std=np.delete(prediction.log_mel_std, part, axis=1),
    )


def _joined(audio: NDArray[np.float32], at: int, skip: int, fade: int) -> NDArray[np.float32]:
    """Samples (L,) without those from `at` to `at + skip`, (L - skip,); as loud in the fade as on its sides."""
    joined = np.delete(audio, slice(at, at + skip))
    begin = max(at - fade // 2, 0)
    before, after = audio[begin : begin + fade], audio[begin + skip : begin + skip + fade]
    angle = (np.arange(len(after), dtype=np.float32) + 0.5) * np.float32(0.5 * np.pi / fade)
    joined[begin : begin + len(after)] = np.cos(angle) * before[: len(after)] + np.sin(angle) * after
    return joined
