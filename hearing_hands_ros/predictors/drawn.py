"""A prediction of several sounds that were drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.predictors.protocol import HandMotion, Prediction, Predictor

Array = NDArray[np.float32]


def prediction_of(by: Predictor, motion: HandMotion, log_mels: Array, wave: Array, latency_s: float) -> Prediction:
    """Mean and spread of what was drawn, cut to the whole mel frames of the candidate.

    Args:
        by: Who predicts.
        motion: The candidate.
        log_mels: (K, F, T) of K sounds, T at least the mel frames of the candidate.
        wave: (L,) what is heard of them, L at least T * hop.
        latency_s: Wall time spent on it.

    Raises:
        ValueError: The candidate is shorter than one mel frame, or a value is not finite.
    """
    frames = by.config.mel_frames(motion.duration_s)
    log_mels = log_mels[:, :, :frames]
    return Prediction(
        start_ns=motion.start_ns,
        sample_rate_hz=by.config.sample_rate_hz,
        audio=wave[: frames * by.config.hop],
        log_mel=log_mels.mean(axis=0),
        log_mel_std=log_mels.std(axis=0),
        contacts=motion.contacts,
        predictor=by.name,
        model=by.model,
        latency_s=latency_s,
    )
