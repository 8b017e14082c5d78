"""Touches, predictions and verdicts of recordings: what the running graph would say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hearing_hands_ros.compare.comparator import Comparator, Comparison
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.ego_noise import EgoNoise
from hearing_hands_ros.compare.judge import TouchJudge
from hearing_hands_ros.compare.scoring.shipped import load_scorer
from hearing_hands_ros.predictors.protocol import Prediction
from hearing_hands_ros.predictors.registry import load_predictor
from hearing_hands_ros.predictors.touch_windows import TouchWindows
from hearing_hands_ros.replay.ahead import Helper, PredictedMoments, Seen
from hearing_hands_ros.replay.recording import Moment, Recording
from hearing_hands_ros.replay.settings import ReplaySettings
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface


def _ignore(*_: object) -> None:
    """Nobody wants to be told."""


@dataclass(frozen=True, eq=False)
class Replayed:
    """A verdict with what it was given on.

    Attributes:
        comparison: The verdict, on a touch or on a sound that no touch explains.
        prediction: Of the touch; None without one.
    """

    comparison: Comparison
    prediction: Prediction | None = None


class Replay:
    """Scene, predictor and judge of the graph, loaded once for many recordings.

    Args:
        settings: What the nodes would be told.

    Raises:
        FileNotFoundError: A file of the scene, the model, the scorer or the calibration is missing.
        ValueError: One of them is broken.
    """

    def __init__(self, settings: ReplaySettings) -> None:
        self.settings = settings
        self.bundle = SceneBundle.load(Path(settings.scene).expanduser())
        self._surface = SplatSurface(self.bundle)
        self.predictor = load_predictor(settings.model, settings.device, settings.scene, settings.views)
        path = Path(settings.calibration).expanduser() if settings.calibration else None
        self.ego_noise = EgoNoise.load(Path(settings.ego_noise).expanduser()) if settings.ego_noise else None
        self.judge = TouchJudge(
            load_scorer(settings.listener, settings.anomalies),
            ConformalCalibration.load(path) if path else None,
            settings.alpha,
            settings.comparator.search_s,
            settings.run_length,
            "" if self.ego_noise is None else self.ego_noise.digest,
            settings.comparator.segment_s,
        )

    def open(self, path: Path) -> Recording:
        """Open a recording, which is to be used in a `with` statement.

        Raises:
            ValueError: It cannot be read, or has no TF or no sound.
        """
        return Recording(path, self.bundle, self._surface, self.settings.hands, self.settings.sound)

    def run(
        self,
        recording: Recording,
        tell: Callable[[float], object] = _ignore,
        quiet: Callable[[list[float], list[float]], object] = _ignore,
        see: Callable[[Moment], object] = _ignore,
        helper: Helper | None = None,
    ) -> Iterator[Replayed]:
        """Yield the verdicts on a recording, in the order in which the graph gives them, as fast as they come.

        Memory does not grow with the length of the recording.

        Args:
            recording: The recording, just opened.
            tell: Told the share of it that is read.
            quiet: Told of quiet seconds, and of the times after touches, as they come; see `Comparator.take_quiet` and
                `Comparator.take_after`.
            see: Told of each moment, before the verdicts that are given in it.
            helper: Predicts, too; made of the same settings.

        Raises:
            ValueError: The recording breaks off, or the predictor fails; what it raises is passed on.
        """
        windows = TouchWindows(self.settings.lead_s, self.settings.tail_s)
        predicted = PredictedMoments(recording.moments(tell), windows, self.predictor, helper)
        comparator = Comparator(self.judge, self.settings.comparator, self.ego_noise)
        yield from judged(predicted, comparator, quiet, see)


def judged(
    predicted: Iterable[tuple[Moment, Seen]],
    comparator: Comparator,
    quiet: Callable[[list[float], list[float]], object] = _ignore,
    see: Callable[[Moment], object] = _ignore,
) -> Iterator[Replayed]:
    """Yield the verdicts on the moments of one recording."""
    predictions: dict[int, Prediction] = {}  # on which no verdict was given yet
    made = 0
    for moment, windows in predicted:
        see(moment)
        if comparator.heard_until_ns is None and comparator.hands_until_ns is None:
            comparator.clear(moment.now_ns)  # what was touched before the recording began is not judged
        for block in moment.sound:
            assert block.stamp_ns is not None  # noqa: S101  (the monitor stamps every block)
            samples = block.data.reshape(-1, block.channels)
            comparator.hear(block.stamp_ns, samples, block.sample_rate_hz, block.lost)
        for hands, of_touches in windows:
            comparator.see(hands.done, hands.going_on)
            for prediction in of_touches:
                made += 1
                predictions[made] = prediction
                comparator.expect(prediction, made)
        for comparison in comparator.poll(moment.now_ns):
            expected = predictions.pop(comparison.prediction_id) if comparison.prediction_id else None
            yield Replayed(comparison, expected)
        quiet(comparator.take_quiet(), comparator.take_after())
