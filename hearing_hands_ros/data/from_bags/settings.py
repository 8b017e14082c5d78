"""What a dataset made of recordings is to be like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hearing_hands_ros.data.dataset import ORIGINS
from hearing_hands_ros.vision.view_features import Mode

SplitBy = Literal["place", "recording", "both"]

SHORTEST_S = 1.0
"""Shortest window: the shortest crop that training takes."""

LONGEST_S = 10.0
"""Longest window: the longest crop that training takes."""


@dataclass(frozen=True)
class BuildSettings:
    """How windows are cut, split and looked at.

    Attributes:
        window_s: Longest window; shorter where a touch of another split is near.
        empty_share: Share of the windows in which nothing is touched, if there is so much of that.
        split: What is held out whole: places of the surface, recordings, or what is both.
        place_m: Edge of a place: a cube of the scene.
        val_share: Of the touches, for validation.
        test_share: Of the touches, for test.
        views: See `ViewFeatures`; 'exact' adds views with the hand to bare ones.
        encoder: As `load_encoder` wants it.
        origin: 'recorded' or 'simulated'.
        licence: Of the recordings, for people.
        seed: Of what is drawn: which places are held out, how long before a touch its window begins.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    window_s: float = 4.0
    empty_share: float = 0.1
    split: SplitBy = "place"
    place_m: float = 0.1
    val_share: float = 0.1
    test_share: float = 0.1
    views: Mode = "bare"
    encoder: str = "efficientnet_lite0_texture"
    origin: str = "recorded"
    licence: str = "not stated"
    seed: int = 0

    def __post_init__(self) -> None:
        who = "dataset build"
        if not SHORTEST_S <= self.window_s <= LONGEST_S:
            raise ValueError(f"{who}: window_s wanted {SHORTEST_S:g} to {LONGEST_S:g} s, got {self.window_s:g}")
        if not 0.0 <= self.empty_share < 1.0:
            raise ValueError(f"{who}: empty_share wanted 0 to less than 1, got {self.empty_share:g}")
        if min(self.val_share, self.test_share) < 0.0 or self.val_share + self.test_share >= 1.0:
            got = f"{self.val_share:g} and {self.test_share:g}"
            raise ValueError(f"{who}: val_share and test_share wanted 0 or more and less than 1 together, got {got}")
        if not 0.01 <= self.place_m <= 10.0:
            raise ValueError(f"{who}: place_m wanted 0.01 to 10 m, got {self.place_m:g}")
        for name, known in (("split", get_args(SplitBy)), ("views", get_args(Mode)), ("origin", ORIGINS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{who}: {name} wanted one of {', '.join(known)}, got {getattr(self, name)!r}")

    @property
    def shares(self) -> dict[str, float]:
        """Share of the touches by split."""
        return {"train": 1.0 - self.val_share - self.test_share, "val": self.val_share, "test": self.test_share}
