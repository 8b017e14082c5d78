"""Predictions that are what a predictor promises, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence

from hearing_hands_ros.predictors.protocol import HandMotion, Prediction, Predictor


def predict_checked(predictor: Predictor, motions: Sequence[HandMotion]) -> list[Prediction]:
    """Predict a batch of candidates and look at what comes back.

    Raises:
        ValueError: There is not one prediction for each candidate, or one has not the rate, time or lengths of its
            candidate; values that are not finite no `Prediction` holds. What the predictor raises is passed on.
    """
    who, config = f"predictor '{predictor.name}'", predictor.config
    predictions = predictor.predict(motions)
    if not isinstance(predictions, list) or len(predictions) != len(motions):
        got = len(predictions) if isinstance(predictions, list) else type(predictions).__name__
        raise ValueError(f"{who}: wanted {len(motions)} predictions, got {got}")
    for motion, prediction in zip(motions, predictions, strict=True):
        if not isinstance(prediction, Prediction):
            raise ValueError(f"{who}: wanted a Prediction, got {type(prediction).__name__}")  # noqa: TRY004  (its fault)
        frames = config.mel_frames(motion.duration_s)
        for name, wanted, got_one in (
            ("start_ns", motion.start_ns, prediction.start_ns),
            ("sample_rate_hz", config.sample_rate_hz, prediction.sample_rate_hz),
            ("log_mel", (config.bins, frames), prediction.log_mel.shape),
            ("audio", (frames * config.hop,), prediction.audio.shape),
        ):
            if got_one != wanted:
                raise ValueError(f"{who}: {name} wanted {wanted}, got {got_one}")
    return predictions
