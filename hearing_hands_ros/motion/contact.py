"""Touches: when, where and how a hand meets the splat surface."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS

ASK_M = 0.03  # a keypoint that must be farther than this is not asked about; a fast one is seen twice before it touches


class SurfaceAnswer(Protocol):
    """What a surface says of M points; see `hearing_hands_ros.scene.surface`."""

    @property
    def distance_m(self) -> NDArray[np.floating]: ...  # noqa: D102
    @property
    def normal(self) -> NDArray[np.floating]: ...  # noqa: D102
    @property
    def point_m(self) -> NDArray[np.floating]: ...  # noqa: D102
    @property
    def material(self) -> NDArray[np.integer]: ...  # noqa: D102
    @property
    def material_share(self) -> NDArray[np.floating]: ...  # noqa: D102


class Surface(Protocol):
    """Anything that can be touched."""

    def query(self, points_m: NDArray[np.floating]) -> SurfaceAnswer:
        """Answer for (M, 3) points in metres in the scene frame."""


@dataclass(frozen=True)
class ContactSettings:
    """Thresholds of the detector.

    Attributes:
        touch_m: A keypoint nearer than this touches.
        release_m: A touch ends when every keypoint is farther than this; over `touch_m`, so noise does not split one.
        slide_m: A touch whose point moved farther than this along the surface ...
        slide_speed_mps: ... at this mean speed or more is a slide.
        longest_s: A touch longer than this is ended; if the hand still slides, the next one follows at once.
        lost_s: A touch ends when the hand was invalid for longer than this.
    """

    touch_m: float = 0.004
    release_m: float = 0.008
    slide_m: float = 0.03
    slide_speed_mps: float = 0.03
    longest_s: float = 3.0
    lost_s: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 < self.touch_m < self.release_m:
            got = f"touch_m {self.touch_m}, release_m {self.release_m}"
            raise ValueError(f"ContactSettings: wants 0 < touch_m < release_m, got {got}")


@dataclass(frozen=True)
class Touch:
    """One touch as far as it is known.

    Attributes:
        id: Counts up from the detector's `first_id`.
        hand: 0 left, 1 right.
        keypoint: The keypoint that went deepest.
        start_ns: When the surface was met, between frames.
        end_ns: When it was left, or the newest frame while `ended` is false.
        ended: The touch is over.
        material: Index of the surface's material label, -1 without one.
        material_share: Share of the touched neighbourhood with that label.
        position_m: (3,) touched point in the scene frame.
        normal: (3,) outward unit normal there.
        approach_speed_mps: Towards the surface just before the touch.
        path_m: Length of the way along the surface so far.
        depth_m: Deepest signed distance.
        slides: Far and fast enough along the surface to be a slide.
    """

    id: int
    hand: int
    keypoint: int
    start_ns: int
    end_ns: int
    ended: bool
    material: int
    material_share: float
    position_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    approach_speed_mps: float
    path_m: float
    depth_m: float
    slides: bool

    @property
    def slide_speed_mps(self) -> float:
        """Mean speed along the surface."""
        return self.path_m / max((self.end_ns - self.start_ns) / NANOSECONDS, 1e-3)


@dataclass
class _HandState:
    stamp_ns: int | None = None  # newest valid frame
    distance_m: NDArray[np.float64] | None = None  # (K,) at that frame
    speed_mps: NDArray[np.float64] | None = None  # (K,) towards the surface, over the two newest frames
    touch: Touch | None = None
    anchor_m: NDArray[np.float64] | None = None  # touched point at the newest frame of a touch
    left_ns: int | None = None  # when the touch_m was passed on the way out, before release_m is reached
    asked_m: NDArray[np.float64] = field(default_factory=lambda: np.zeros((KEYPOINTS, 3)))  # where it was asked about
    answer_m: NDArray[np.float64] = field(default_factory=lambda: np.full(KEYPOINTS, np.inf))  # and what was said
    answer: SurfaceAnswer | None = None  # the newest, to the points whose row is not -1
    row_of: NDArray[np.int64] = field(default_factory=lambda: np.full(KEYPOINTS, -1))
    resting: bool = False  # on the surface without a touch, until it has left

    def answer_at(self, keypoint: int) -> tuple[SurfaceAnswer, int] | None:
        """What the surface said of a keypoint in this frame: the answer and the row in it; None if it was not asked."""
        row = int(self.row_of[keypoint])
        return None if row < 0 or self.answer is None else (self.answer, row)


@dataclass
class ContactDetector:
    """Turns frames of keypoints into touches; one object follows both hands.

    Args:
        surface: What is touched.
        settings: Thresholds.
        first_id: Id of the first touch; the next ones count up from it.
    """

    surface: Surface
    settings: ContactSettings = field(default_factory=ContactSettings)
    first_id: int = 1

    def __post_init__(self) -> None:
        self._next_id = self.first_id
        self._hands = [_HandState() for _ in HANDS]

    def update(self, stamp_ns: int, keypoints_m: NDArray[np.float64], valid: NDArray[np.bool_]) -> list[Touch]:
        """Take one frame.

        Args:
            stamp_ns: Its time, later than the last one's.
            keypoints_m: (2, 21, 3) in the scene frame.
            valid: (2,) by hand; an invalid hand's keypoints are not looked at.

        Returns:
            Touches that began or ended in this frame, in the order of time.
        """
        changed: list[Touch] = []
        for hand, state in enumerate(self._hands):
            if not valid[hand]:
                if state.stamp_ns is not None and (stamp_ns - state.stamp_ns) / NANOSECONDS > self.settings.lost_s:
                    changed += self.lose(hand)  # it may come back anywhere: no speed is taken across the gap
                continue
            changed += self._seen(hand, state, stamp_ns, self._distances(state, keypoints_m[hand]))
        return sorted(changed, key=lambda touch: touch.end_ns if touch.ended else touch.start_ns)

    def lose(self, hand: int) -> list[Touch]:
        """Forget where one hand was (it jumped, or time did); return its touch, ended, if it had one."""
        touch = self._hands[hand].touch
        self._hands[hand] = _HandState()
        return [replace(touch, ended=True)] if touch is not None else []

    def open_touches(self) -> list[Touch]:
        """Touches that have begun and not ended."""
        return [state.touch for state in self._hands if state.touch is not None]

    def _distances(self, state: _HandState, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of each keypoint (K,), asking the surface only about those that may have come near it.

        A distance cannot shrink by more than the point has moved, so a point that was far is far still. What is
        infinite is asked again: it may be far, or behind the surface.
        """
        moved = np.sqrt(((points_m - state.asked_m) ** 2).sum(axis=1))
        least = state.answer_m - moved
        ask = ~(np.isfinite(least) & (least > max(ASK_M, 2.0 * self.settings.release_m)))
        state.row_of[:] = -1
        if ask.any():
            answer = self.surface.query(points_m[ask])
            state.asked_m[ask] = points_m[ask]
            state.answer_m[ask] = least[ask] = answer.distance_m
            state.answer = answer
            state.row_of[ask] = np.arange(int(ask.sum()))
        return least

    def _seen(self, hand: int, state: _HandState, stamp_ns: int, distance: NDArray[np.float64]) -> list[Touch]:
        deepest = int(np.argmin(distance))
        before_ns, before = state.stamp_ns, state.distance_m
        if before is None or before_ns is None:
            speed = np.zeros_like(distance)
            # It appears on the surface. Nobody saw it come down, and perhaps it never left: no touch begins.
            state.resting = bool(distance[deepest] <= self.settings.release_m)
        else:
            # A far point's distance may be infinite; it has no speed yet.
            with np.errstate(invalid="ignore"):
                step = before - distance
            speed = np.where(np.isfinite(step), step, 0.0) / max((stamp_ns - before_ns) / NANOSECONDS, 1e-6)
        changed: list[Touch] = []
        if state.touch is not None:
            changed = self._continue(state, stamp_ns, distance, deepest)
        elif state.resting:
            state.resting = bool(distance[deepest] <= self.settings.release_m)
        elif distance[deepest] <= self.settings.touch_m:
            changed = [self._begin(hand, state, stamp_ns, distance, speed, deepest)]
        state.stamp_ns, state.distance_m, state.speed_mps = stamp_ns, distance, speed
        return changed

    def _begin(
        self,
        hand: int,
        state: _HandState,
        stamp_ns: int,
        distance: NDArray[np.float64],
        speed: NDArray[np.float64],
        deepest: int,
    ) -> Touch:
        said = state.answer_at(deepest)
        assert said is not None  # noqa: S101  (whatever touches was near enough to be asked about)
        answers, row = said
        # The surface stops the hand between two frames, so the speed before those frames says more than across them.
        previous = 0.0 if state.speed_mps is None else float(state.speed_mps[deepest])
        approach = max(float(speed[deepest]), previous, 0.0)
        start_ns = stamp_ns
        if state.stamp_ns is not None and state.distance_m is not None and approach > 0.0:
            way = max(float(state.distance_m[deepest]), 0.0)
            if np.isfinite(way):
                reach_ns = state.stamp_ns + int(way / approach * NANOSECONDS)
                start_ns = min(reach_ns, 2 * stamp_ns - state.stamp_ns)
        material = int(answers.material[row])
        state.anchor_m = np.asarray(answers.point_m[row], np.float64)
        state.left_ns = None
        state.touch = Touch(
            id=self._next_id,
            hand=hand,
            keypoint=deepest,
            start_ns=start_ns,
            end_ns=max(stamp_ns, start_ns),
            ended=False,
            material=material,
            material_share=float(answers.material_share[row]),
            position_m=state.anchor_m,
            normal=np.asarray(answers.normal[row], np.float64),
            approach_speed_mps=approach,
            path_m=0.0,
            depth_m=float(distance[deepest]),
            slides=False,
        )
        self._next_id += 1
        return state.touch

    def _continue(
        self,
        state: _HandState,
        stamp_ns: int,
        distance: NDArray[np.float64],
        deepest: int,
    ) -> list[Touch]:
        touch = state.touch
        assert touch is not None and state.stamp_ns is not None  # noqa: S101  (the caller asked)
        if distance[deepest] <= self.settings.touch_m:
            state.left_ns = None
        elif state.left_ns is None:
            # Left somewhere between the two frames: where the line through them passes touch_m.
            before = float(state.distance_m[deepest]) if state.distance_m is not None else 0.0
            rise = float(distance[deepest]) - before
            known = np.isfinite(rise) and rise > 0
            share = np.clip((self.settings.touch_m - before) / rise, 0.0, 1.0) if known else 1.0
            state.left_ns = state.stamp_ns + int(share * (stamp_ns - state.stamp_ns))
        if distance[deepest] > self.settings.release_m:
            state.touch = None
            return [replace(touch, end_ns=max(state.left_ns or stamp_ns, touch.start_ns), ended=True)]
        said = state.answer_at(touch.keypoint)
        point = np.full(3, np.nan) if said is None else np.asarray(said[0].point_m[said[1]], np.float64)
        if state.anchor_m is not None and np.isfinite(point).all():
            step = point - state.anchor_m
            step = step - touch.normal * (step @ touch.normal)
            moved = float(np.linalg.norm(step))
        else:
            moved = 0.0
        # Steps under the noise of a tracker are summed only once they have become a way.
        path = touch.path_m
        if moved > self.settings.touch_m / 2:
            path += moved
            state.anchor_m = point
        depth = min(touch.depth_m, float(distance[deepest]))
        touch = replace(touch, end_ns=max(stamp_ns, touch.start_ns), path_m=path, depth_m=depth)
        touch = replace(
            touch,
            slides=path >= self.settings.slide_m and touch.slide_speed_mps >= self.settings.slide_speed_mps,
        )
        state.touch = touch
        if (stamp_ns - touch.start_ns) / NANOSECONDS < self.settings.longest_s:
            return []
        ended = replace(touch, ended=True)
        if not touch.slides:
            state.touch, state.resting = None, True
            return [ended]
        state.touch = replace(
            touch, id=self._next_id, start_ns=stamp_ns, end_ns=stamp_ns, path_m=0.0, approach_speed_mps=0.0
        )
        self._next_id += 1
        return [ended, state.touch]
