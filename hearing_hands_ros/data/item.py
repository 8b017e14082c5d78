"""One item of a dataset: a few seconds of hands, touches, what they look like, and what they sounded like."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig

Half = NDArray[np.float16]

COLUMNS: Final = {
    "contact_start_ns": ("iu", ()),
    "contact_end_ns": ("iu", ()),
    "contact_hand": ("iu", ()),
    "contact_kind": ("U", ()),
    "contact_position_m": ("f", (3,)),
    "contact_normal": ("f", (3,)),
    "contact_approach_mps": ("f", ()),
    "contact_slide_mps": ("f", ()),
    "contact_material": ("U", ()),
}
"""Columns of the touches in an item's file: kinds of type, and the shape of a row."""


@dataclass(frozen=True, eq=False)
class Item:
    """One window of a scene.

    C touches overlap it, oldest first: those of `motion.contacts`, and the rows of `contact_local`.

    Attributes:
        scene: Name of the scene.
        name: Of the item, once in a scene.
        action: What was done: 'tap', 'knock', 'slide', ...
        motion: Hands and touches; time 0 is the first frame and the first sample.
        audio: (L,) float32 at the dataset's rate, full scale is 1.
        contact_local: (C, D) features of the local view of each touched point, without the hand.
        contact_local_hand: (C, D) the same with the hand in it; a row of NaN was not rendered.
        scene_views: (V, D) features of views of the whole scene.
        views_global: (W, D) the same at 4 Hz with the hands in it, or None.
        views_local: (W, D) local views at 4 Hz, or None.
    """

    scene: str
    name: str
    action: str
    motion: HandMotion
    audio: NDArray[np.float32]
    contact_local: Half
    contact_local_hand: Half
    scene_views: Half
    views_global: Half | None = None
    views_local: Half | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the sound, as it is stored."""
        contacts = self.motion.contacts
        result: dict[str, NDArray[Any]] = {
            "hands": self.motion.keypoints.astype(np.float32),
            "valid": self.motion.valid,
            "rate_hz": np.float64(self.motion.rate_hz),  # type: ignore[dict-item]
            "start_ns": np.int64(self.motion.start_ns),  # type: ignore[dict-item]
            "action": np.array(self.action),
            "contact_start_ns": np.array([c.start_ns for c in contacts], np.int64),
            "contact_end_ns": np.array([c.end_ns for c in contacts], np.int64),
            "contact_hand": np.array([c.hand for c in contacts], np.int64),
            "contact_kind": np.array([c.kind for c in contacts], np.str_),
            "contact_position_m": np.array([c.position_m for c in contacts], np.float64).reshape(-1, 3),
            "contact_normal": np.array([c.normal for c in contacts], np.float64).reshape(-1, 3),
            "contact_approach_mps": np.array([c.approach_speed_mps for c in contacts], np.float64),
            "contact_slide_mps": np.array([c.slide_speed_mps for c in contacts], np.float64),
            "contact_material": np.array([c.material for c in contacts], np.str_),
            "contact_local": self.contact_local.astype(np.float16),
            "contact_local_hand": self.contact_local_hand.astype(np.float16),
            "scene": self.scene_views.astype(np.float16),
        }
        for name in ("views_global", "views_local"):
            views = getattr(self, name)
            if views is not None:
                result[name] = views.astype(np.float16)
        return result


def faults(arrays: Mapping[str, NDArray[Any]], samples: int, sequence: SequenceConfig, dim: int) -> Iterator[str]:
    """What is wrong with the arrays of an item.

    Args:
        arrays: As in `Item.arrays`.
        samples: L, of its sound.
        sequence: Rates of the dataset.
        dim: D, of the dataset's features.

    Yields:
        Sentences 'field: wanted ..., got ...'.
    """
    wanted: dict[str, tuple[str, tuple[int | None, ...]]] = {
        "hands": ("f", (None, len(HANDS), KEYPOINTS, 3)),
        "valid": ("b", (None, len(HANDS))),
        "rate_hz": ("f", ()),
        "start_ns": ("iu", ()),
        "action": ("U", ()),
        **{name: (kinds, (None, *row)) for name, (kinds, row) in COLUMNS.items()},
        "contact_local": ("f", (None, dim)),
        "contact_local_hand": ("f", (None, dim)),
        "scene": ("f", (None, dim)),
        **{name: ("f", (None, dim)) for name in ("views_global", "views_local") if name in arrays},
    }
    broken = False
    for name, (kinds, shape) in wanted.items():
        if name not in arrays:
            broken = True
            yield f"{name}: wanted an array, got none"
            continue
        got = arrays[name]
        fits = got.ndim == len(shape) and all(w in (None, g) for w, g in zip(shape, got.shape, strict=False))
        if not fits or got.dtype.kind not in kinds:
            broken = True
            yield f"{name}: wanted {_type(kinds)} of shape {_shape(shape)}, got {got.dtype} of shape {got.shape}"
    if broken:
        return
    frames = len(arrays["hands"])
    if frames < 1 or len(arrays["valid"]) != frames:
        yield f"valid: wanted a row for each of the {frames} frames of 'hands' (at least 1), got {len(arrays['valid'])}"
    touches = len(arrays["contact_start_ns"])
    for name in (*COLUMNS, "contact_local", "contact_local_hand"):
        if len(arrays[name]) != touches:
            yield f"{name}: wanted {touches} rows, one for each of 'contact_start_ns', got {len(arrays[name])}"
    for name in ("contact_local", "scene", "views_global", "views_local"):
        bad = int(np.count_nonzero(~np.isfinite(arrays[name]))) if name in arrays else 0
        if bad:
            yield f"{name}: wanted finite values, got {bad} that are not"
    rate = float(arrays["rate_hz"])
    if not math.isclose(rate, sequence.hand_rate_hz):
        yield f"rate_hz: wanted {sequence.hand_rate_hz:g}, got {rate:g}"
    elif samples != sequence.samples(frames / rate):
        yield (
            f"audio: wanted {sequence.samples(frames / rate)} samples at {sequence.sample_rate_hz} Hz "
            f"for {frames} frames of 'hands' at {rate:g} Hz, got {samples}"
        )
    if int(arrays["start_ns"]) != 0:
        yield f"start_ns: wanted 0, the time of the first sample, got {int(arrays['start_ns'])}"


def contacts_of(arrays: Mapping[str, NDArray[Any]]) -> tuple[Contact, ...]:
    """The touches of an item.

    Raises:
        ValueError: A value of a touch is not possible.
    """
    rows = zip(*(arrays[name] for name in COLUMNS), strict=True)
    return tuple(
        Contact(
            start_ns=int(start),
            end_ns=int(end),
            hand=int(hand),
            material=str(material),
            position_m=(float(position[0]), float(position[1]), float(position[2])),
            normal=(float(normal[0]), float(normal[1]), float(normal[2])),
            approach_speed_mps=float(approach),
            slide_speed_mps=float(slide),
            kind=str(kind),  # type: ignore[arg-type]
        )
        for start, end, hand, kind, position, normal, approach, slide, material in rows
    )


def _type(kinds: str) -> str:
    return {"f": "float", "b": "bool", "iu": "int", "U": "text"}[kinds]


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + "".join(f"{'any' if size is None else size}, " for size in shape).rstrip() + ")"
