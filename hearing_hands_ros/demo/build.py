"""Build the demo's world: python -m hearing_hands_ros.demo.build OUT

OUT/held_out must hold the held-out recordings. Writes OUT/scene/, OUT/touches.mcap, OUT/heard.flac, OUT/truth.yaml,
OUT/README.md and OUT/LICENSE.md; the same recordings give the same files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.status import Status
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import hand, heard, motion, world
from hearing_hands_ros.demo.bag import Recording, write_bag
from hearing_hands_ros.demo.texts import LICENSE, README
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

Array = NDArray[np.float64]

START_NS: Final = 1_748_770_200_000_000_000  # 2025-06-01 09:30:00 UTC, any date would do
HAND_RATE_HZ: Final = 60
TRACKER_NOISE_M: Final = 0.0005
# Above the front edge of the bench, looking down at its middle; x right, y down, z forward as optical frames have it.
CAMERA_EYE: Final = np.array([0.10, -0.75, 0.95])
CAMERA_TARGET: Final = np.array([0.0, 0.05, 0.0])
DEEPEST_TOUCH_M, HIGHEST_TOUCH_M = -0.0025, 0.0005
CLEARANCE_M: Final = 0.010  # of every keypoint but the touching one


def camera_in_world() -> tuple[Rotation, Array]:
    """T_world_from_camera of the tracking camera."""
    forward = CAMERA_TARGET - CAMERA_EYE
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    in_bench = Rotation.from_matrix(np.stack([right, np.cross(forward, right), forward], axis=1))
    return world.WORLD_FROM_BENCH[0] * in_bench, world.world_from_bench(CAMERA_EYE[None])[0]


def build(out: Path, say: Callable[[str], None] = lambda _: None) -> None:
    """Make everything.

    Args:
        out: The demo folder; `out/held_out` holds recordings and their `bank.yaml`.
        say: Is told what is being made.

    Raises:
        FileNotFoundError: The recordings are missing.
        ValueError: The world contradicts itself: a touch that does not touch, a near miss that does.
    """
    say("what is heard")
    held_out = out / "held_out"
    events = motion.plan()
    sounds, anomalies = heard.cast(events, held_out)
    duration_s = motion.duration_s(events)
    wave = heard.mix(events, sounds, held_out, heard.recordings(held_out), duration_s)

    say("the scene")
    bundle = world.build_bundle()
    bundle.save(out / "scene")
    loaded = SceneBundle.load(out / "scene")
    _check_order(bundle, loaded)
    surface = SplatSurface(loaded)

    say("the motion")
    gaps = record(out / "touches.mcap", events, wave, surface, say)
    soundfile.write(out / "heard.flac", np.round(wave * 32768.0).astype(np.int16), heard.RATE_HZ, subtype="PCM_16")
    truth = _truth(events, sounds, anomalies, gaps, duration_s)
    (out / "truth.yaml").write_text(yaml.safe_dump(truth, sort_keys=False, width=160, default_flow_style=None))
    counts = {
        "touches": len(truth["touches"]),
        "sounding": sum(touch["recording"] is not None for touch in truth["touches"]),
        "patches": len({touch["patch"] for touch in truth["touches"]}),
        "gaussians": f"{len(loaded.splats):,}".replace(",", " "),
        "seconds": f"{duration_s:.0f}",
        "recordings": len({sound.recording for sound in sounds}),
        "wrong": sum(touch["anomaly"] == "wrong_material" for touch in truth["touches"]),
        "missing": sum(touch["anomaly"] == "missing_sound" for touch in truth["touches"]),
        "extra": len(truth["extra_sounds"]),
        "near": len(truth["near_misses"]),
    }
    (out / "README.md").write_text(README.format(**counts))
    (out / "LICENSE.md").write_text(LICENSE)


def record(
    bag: Path, events: list[motion.Event], wave: heard.Wave, surface: SplatSurface, say: Callable[[str], None]
) -> dict[int, float]:
    """Move the hand, and write what tracker and microphone would record.

    Args:
        bag: File to write.
        events: What the hand does.
        wave: What is heard meanwhile.
        surface: Of the scene, as it is loaded.
        say: Is told what is being made.

    Returns:
        Least signed distance from the scene, m, by number of the touch or near miss.

    Raises:
        ValueError: A touch does not touch, or something else does.
    """
    time_s = np.arange(int(wave.size / heard.RATE_HZ * HAND_RATE_HZ)) / HAND_RATE_HZ
    keypoints, turn = hand.pose(motion.fingertip(events, time_s), time_s, seed=5)
    gaps = _check_touches(events, surface)
    _check_clearance(keypoints, time_s, events, surface)
    rng = np.random.default_rng(77)
    camera = camera_in_world()
    in_world = world.world_from_bench(keypoints.reshape(-1, 3))
    in_camera = camera[0].inv().apply(in_world - camera[1]).reshape(keypoints.shape)
    in_camera += rng.normal(0.0, TRACKER_NOISE_M, in_camera.shape)
    rotations = camera[0].inv() * world.WORLD_FROM_BENCH[0] * turn
    say("the recording")
    write_bag(bag, Recording(START_NS, world.WORLD_FRAME, camera, time_s, in_camera, rotations, wave))
    return gaps


def _check_order(made: SceneBundle, loaded: SceneBundle) -> None:
    """Labels are by number, so the splat file must keep the order of the Gaussians."""
    off = float(np.abs(made.means_m - loaded.means_m).max())
    if off > 1e-4 or not np.array_equal(made.labels, loaded.labels):
        raise ValueError(f"demo scene: wanted the order of Gaussians kept through the file, got {off:g} m off")


def closest(events: list[motion.Event], surface: SplatSurface) -> dict[int, tuple[float, float]]:
    """Least and greatest signed distance of the fingertip from the splats, by number of the touch or near miss.

    Of a touch while it lasts, of a near miss within 0.2 s of its nearest moment; metres.
    """
    spans = {
        number: (event.start_s - 0.2, event.start_s + 0.2)
        if event.kind == "near_miss"
        else (event.start_s, event.end_s - 1e-4)
        for number, event in enumerate(events)
        if event.kind != "pause"
    }
    moments = np.concatenate([np.linspace(first, last, 200) for first, last in spans.values()])
    tip = motion.fingertip(events, np.append(moments, motion.duration_s(events)))[:-1]
    found = surface.query(world.scene_from_bench(tip)).distance_m.reshape(-1, 200)
    return {number: (float(row.min()), float(row.max())) for number, row in zip(spans, found, strict=True)}


def _check_touches(events: list[motion.Event], surface: SplatSurface) -> dict[int, float]:
    """Least signed distance by number of the event."""
    found = closest(events, surface)
    for number, (low, high) in found.items():
        event = events[number]
        if event.kind == "near_miss":
            if not 0.015 <= low <= 0.025:
                raise ValueError(f"near miss at {event.start_s:.2f} s: wanted 15 to 25 mm, got {low * 1e3:.1f} mm")
        elif low < DEEPEST_TOUCH_M or high > HIGHEST_TOUCH_M:
            raise ValueError(
                f"touch at {event.start_s:.2f} s: wanted distances in {DEEPEST_TOUCH_M * 1e3} to "
                f"{HIGHEST_TOUCH_M * 1e3} mm, got {low * 1e3:.2f} to {high * 1e3:.2f}"
            )
    return {number: low for number, (low, _) in found.items()}


def _check_clearance(keypoints: Array, time_s: Array, events: list[motion.Event], surface: SplatSurface) -> None:
    """Nothing but the index fingertip touches, and it only when planned."""
    points = world.scene_from_bench(keypoints.reshape(-1, 3))
    found = surface.query(points).distance_m.reshape(keypoints.shape[:2])
    others = np.delete(found, hand.INDEX_TIP, axis=1)
    if others.min() < CLEARANCE_M:
        at = time_s[int(np.argmin(others.min(axis=1)))]
        raise ValueError(f"hand at {at:.2f} s: other keypoints wanted {CLEARANCE_M} m from all, got {others.min():.4f}")
    free = np.ones(len(time_s), bool)
    for event in events:
        if event.kind in ("tap", "slide"):
            free &= (time_s < event.start_s - 0.12) | (time_s > event.end_s + 0.12)
    least = float(found[free, hand.INDEX_TIP].min())
    if least < CLEARANCE_M:
        raise ValueError(f"fingertip between touches: wanted {CLEARANCE_M} m or more, got {least:.4f}")


def _ns(at_s: float) -> int:
    return START_NS + round(at_s * NANOSECONDS)


def _truth(
    events: list[motion.Event],
    sounds: list[heard.Sound],
    anomalies: dict[int, str],
    gaps: dict[int, float],
    duration_s: float,
) -> dict[str, Any]:
    of_event = {sound.event: sound for sound in sounds}
    turn = world.SCENE_FROM_BENCH[0]
    touches: list[dict[str, Any]] = []
    extra: list[dict[str, Any]] = []
    near: list[dict[str, Any]] = []
    for number, event in enumerate(events):
        sound = of_event.get(number)
        place = {
            "patch": event.patch,
            "material": event.material,
            "position_m": [round(float(v), 5) for v in world.scene_from_bench(event.point[None])[0]],
            "normal": [round(float(v), 5) for v in turn.apply(event.normal)],
        }
        heard_part: dict[str, Any] = {
            "recording": sound.recording if sound else None,
            "heard_material": sound.material if sound else None,
            "gain_db": sound.gain_db if sound else None,
            "sound_jitter_s": round(sound.jitter_s, 5) if sound else None,
        }
        if event.kind == "pause":
            at_s = sound.at_s if sound else event.start_s
            extra.append({"start_s": round(at_s, 5), "start_ns": _ns(at_s), **heard_part, "anomaly": "extra_sound"})
        elif event.kind == "near_miss":
            distance = {"closest_m": round(gaps[number], 5)}
            near.append({"time_s": event.start_s, "time_ns": _ns(event.start_s), **place, **distance})
        else:
            touches.append(
                {
                    "id": len(touches) + 1,
                    "start_s": event.start_s,
                    "start_ns": _ns(event.start_s),
                    "end_s": round(event.end_s, 5),
                    "end_ns": _ns(event.end_s),
                    "kind": event.kind,
                    "double_tap": event.double,
                    **place,
                    "approach_speed_mps": round(event.speed_mps, 4),
                    "slide_speed_mps": round(float(np.linalg.norm(event.path)) / event.dwell_s, 4),
                    "deepest_m": round(gaps[number], 5),
                    **heard_part,
                    "anomaly": anomalies[number],
                }
            )
    return {
        "format": 1,
        "bag": "touches.mcap",
        "start_ns": START_NS,
        "duration_s": duration_s,
        "frame_id": world.SCENE_FRAME,
        "hand": "right",
        "keypoint": hand.INDEX_TIP,
        "microphone_lag_s": heard.MICROPHONE_LAG_S,
        "touches": touches,
        "extra_sounds": extra,
        "near_misses": near,
    }


def main(arguments: list[str]) -> int:
    """Command line: OUT."""
    if len(arguments) != 1:
        print("usage: python -m hearing_hands_ros.demo.build OUT", file=sys.stderr)
        return 2
    with Status("", console=Console(stderr=True)) as status:
        build(Path(arguments[0]), lambda what: status.update(f"making {what}"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
