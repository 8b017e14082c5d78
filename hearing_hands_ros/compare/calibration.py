"""How odd normal touches are.

    python -m hearing_hands_ros.compare.calibration BANK_DIR

writes `calibration.yaml` into the folder of a bank: each recorded touch judged by the bank less its group.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from hearing_hands_ros.compare.materials import MaterialModel, in_room
from hearing_hands_ros.compare.scores import TouchScores, score_touch
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.protocol import Contact, HandMotion

FORMAT = "hearing_hands_ros/calibration/1"


def least_touches(alpha: float) -> int:
    """Normal touches without which no touch, however odd, can have a p-value of `alpha`: 1 / alpha - 1, rounded up."""
    return math.ceil(1.0 / alpha - 1.0 - 1e-9)


@dataclass(frozen=True)
class Calibration:
    """Scores of normal touches.

    Attributes:
        source: What they were scored against and how, for people.
        scores: Name to scores, ascending.

    Raises:
        ValueError: A score is not finite or a list is not ascending.

    Source: split conformal prediction, Vovk et al. 2005.
    """

    source: str
    scores: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        for name, values in self.scores.items():
            if not all(math.isfinite(v) for v in values):
                raise ValueError(f"Calibration: {name} wanted finite scores, got some that are not")
            if list(values) != sorted(values):
                raise ValueError(f"Calibration: {name} wanted ascending scores, got another order")

    @classmethod
    def of(cls, source: str, touches: Iterable[TouchScores]) -> Calibration:
        """From the scores of normal touches; what is NaN is left out."""
        lists: dict[str, list[float]] = {}
        for touch in touches:
            for name, value in touch.values.items():
                lists.setdefault(name, [])
                if math.isfinite(value):
                    lists[name].append(float(value))
        return cls(source, {name: tuple(sorted(values)) for name, values in sorted(lists.items())})

    def count(self, name: str) -> int:
        """Normal touches that have this score."""
        return len(self.scores.get(name, ()))

    def check(self, name: str, alpha: float) -> None:
        """Refuse what cannot be judged.

        Args:
            name: Of the score.
            alpha: False-alarm rate wanted.

        Raises:
            ValueError: `alpha` is not between 0 and 1, or there are fewer than `least_touches(alpha)`.
        """
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"Calibration: alpha wanted more than 0 and less than 1, got {alpha}")
        least = least_touches(alpha)
        if self.count(name) < least:
            raise ValueError(
                f"Calibration ({self.source}): {name} wanted {least} normal touches or more for alpha {alpha:g}, "
                f"got {self.count(name)}"
            )

    def p_value(self, name: str, value: float) -> float:
        """Share of normal touches that are at least as odd.

        p = (1 + #{scores >= value}) / (n + 1); a normal touch has p <= alpha with probability alpha at most, whatever
        the distribution, as long as it is exchangeable with those of the calibration.

        Args:
            name: Of the score.
            value: Of the touch.

        Returns:
            1 / (n + 1) to 1; NaN if the value is NaN.

        Raises:
            KeyError: There is no such score.
        """
        if name not in self.scores:
            raise KeyError(f"Calibration ({self.source}): wanted one of {sorted(self.scores)}, got {name!r}")
        if math.isnan(value):
            return math.nan
        values = self.scores[name]
        return (1 + len(values) - bisect_left(values, value)) / (len(values) + 1)

    def save(self, path: str | Path) -> None:
        """Write as YAML; the folder must exist."""
        document = {
            "format": FORMAT,
            "source": self.source,
            "scores": {name: [float(f"{v:.6g}") for v in values] for name, values in self.scores.items()},
        }
        Path(path).write_text(yaml.safe_dump(document, sort_keys=False, width=120))

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what `save` wrote.

        Args:
            path: The file.

        Returns:
            The calibration.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not a calibration; the message names the field.
        """
        path = Path(path)
        who = f"Calibration({path.name!r})"
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted a file, got nothing at {path}")
        try:
            document = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise ValueError(f"{who}: wanted YAML, got {error}") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            found = document.get("format") if isinstance(document, dict) else type(document).__name__
            raise ValueError(f"{who}: format wanted {FORMAT!r}, got {found!r}")
        if not isinstance(document.get("source"), str):
            raise ValueError(f"{who}: source wanted text, got {document.get('source')!r}")  # noqa: TRY004
        scores = document.get("scores")
        if not isinstance(scores, dict) or not scores:
            raise ValueError(f"{who}: scores wanted a mapping of at least one, got {scores!r}")
        for name, values in scores.items():
            if not isinstance(values, list) or not all(
                isinstance(v, (int, float)) and not isinstance(v, bool) for v in values
            ):
                raise ValueError(f"{who}: scores.{name} wanted a list of numbers, got {values!r}")
        return cls(document["source"], {str(n): tuple(float(v) for v in values) for n, values in scores.items()})


def one_touch(material: str, kind: str, start_ns: int, speed_mps: float = 0.5) -> HandMotion:
    """One second of a right hand at rest that touches `material` 0.3 s in."""
    at = start_ns + 3 * NANOSECONDS // 10
    contact = Contact(
        start_ns=at,
        end_ns=at + NANOSECONDS // (2 if kind == "slide" else 50),
        hand=1,
        material=material,
        position_m=(0.0, 0.0, 0.0),
        normal=(0.0, 0.0, 1.0),
        approach_speed_mps=speed_mps,
        slide_speed_mps=speed_mps if kind == "slide" else 0.0,
        kind="slide" if kind == "slide" else "tap",
    )
    frames = 30
    keypoints = np.zeros((frames, len(HANDS), KEYPOINTS, 3), dtype=np.float32)
    return HandMotion(start_ns, 30.0, keypoints, np.ones((frames, len(HANDS)), dtype=np.bool_), (contact,))


def leave_one_group_out(
    bank: ExampleBank, snr_db: float = 30.0, gain_db: float = 6.0, seed: int = 0
) -> list[TouchScores]:
    """Score every recording of a bank against the bank without its group, as if it were heard in a room.

    Args:
        bank: The recordings.
        snr_db: Loudest 50 ms over the room's noise.
        gain_db: The microphone's gain is drawn from plus and minus this.
        seed: For gains, noise and the times of the touches.

    Returns:
        One score an exemplar; groups that are all a bank has of a material and kind are left out.
    """
    model = MaterialModel.fit(bank)
    results = []
    groups = sorted({e.group for e in bank.exemplars})
    for number, group in enumerate(groups):
        rest = bank.without(group)
        predictor = ExamplePredictor(rest)
        fitted = model.only(model.group != group)
        for i, exemplar in enumerate(bank.exemplars):
            if exemplar.group != group or not rest.of(exemplar.material, exemplar.kind):
                continue
            generator = np.random.default_rng([seed, number, i])
            heard = in_room(exemplar, 0.3, snr_db, generator, generator.uniform(-gain_db, gain_db))
            motion = one_touch(exemplar.material, exemplar.kind, int(generator.integers(0, 10**15)))
            prediction = predictor.predict([motion])[0]
            results.append(score_touch(heard, prediction, motion.contacts[0], lead_s=0.3, materials=fitted))
    return results


def main(arguments: list[str]) -> int:
    """Command line: BANK_DIR."""
    if len(arguments) != 1:
        print("usage: python -m hearing_hands_ros.compare.calibration BANK_DIR", file=sys.stderr)
        return 2
    bank = ExampleBank.load(arguments[0])
    touches = leave_one_group_out(bank)
    calibration = Calibration.of(f"leave one group out of {bank.model}, 30 dB over room noise", touches)
    calibration.save(Path(arguments[0]) / "calibration.yaml")
    print(", ".join(f"{name}: {calibration.count(name)} touches" for name in calibration.scores))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
