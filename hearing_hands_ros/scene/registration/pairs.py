"""Registration from points that the user measured both in the splats and with the robot."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.scene.document import load_yaml, shown
from hearing_hands_ros.scene.registration.report import Limits, RegistrationRefusedError, RegistrationReport, Residual
from hearing_hands_ros.scene.sim3 import Sim3, umeyama

Array = NDArray[np.float64]
COLUMNS = ("name", "splat_x", "splat_y", "splat_z", "robot_x", "robot_y", "robot_z")
LEAST_PAIRS = 3
LEAST_SPREAD_M = 0.01  # second axis of the robot's points; within it, touching a point is no more exact than this
MIRRORED = 3.0  # a reflection that fits so many times better says that one side is mirrored
MOST_SAMPLES = 3000


@dataclass(frozen=True)
class PointPair:
    """One point in both worlds.

    Attributes:
        name: What it is, for people.
        splat: (3,) in splat units.
        robot_m: (3,) in the parent frame, m.
    """

    name: str
    splat: Array
    robot_m: Array


def read_pairs(path: str | Path) -> list[PointPair]:
    """Read a table of point pairs.

    A .csv has the columns name, splat_x, splat_y, splat_z, robot_x, robot_y, robot_z. A .yaml is a list of
    `{name: ..., splat: [x, y, z], robot: [x, y, z]}`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is something else; names the file and the row.
    """
    path = Path(path)
    who = f"point pairs '{path}'"
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted a .csv or .yaml file, got nothing there")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        rows = _csv_rows(who, path)
    elif suffix in (".yaml", ".yml"):
        rows = _yaml_rows(who, path)
    else:
        raise ValueError(f"{who}: wanted a file that ends in .csv or .yaml, got {path.suffix!r}")
    pairs = [PointPair(name, *_points(f"{who}: {shown(name)}", numbers)) for name, numbers in rows]
    names = [pair.name for pair in pairs]
    if len(set(names)) != len(names):
        again = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{who}: wanted each name once, got {shown(again)} again")
    return pairs


def register_from_pairs(
    pairs: list[PointPair], limits: Limits | None = None, up: ArrayLike = (0.0, 0.0, 1.0)
) -> RegistrationReport:
    """Similarity that takes the splats' points to the robot's.

    Args:
        pairs: Three or more, not on one line. From four on, wrong ones are found and left out of the fit.
        limits: What it must keep to.
        up: (3,) of the scene, along the splats' axes.

    Raises:
        RegistrationRefusedError: Too few points, points on one line, one side mirrored, or a limit is passed.
    """
    limits = limits or Limits()
    splat, robot = (np.array([getattr(pair, side) for pair in pairs]).reshape(-1, 3) for side in ("splat", "robot_m"))
    _check_layout(pairs, splat, robot)
    found = _agreed(splat, robot, limits)
    report = _report(pairs, found, splat, robot, limits)
    _check_hand(report, splat, robot, limits)
    report.check(limits, up)
    return report


def _report(pairs: list[PointPair], found: Sim3, splat: Array, robot: Array, limits: Limits) -> RegistrationReport:
    mm = _millimetres(found, splat, robot)
    inliers = limits.inliers(mm, np.zeros(len(mm)))
    residuals = zip(pairs, mm, inliers, strict=True)
    return RegistrationReport(
        "pairs", found, tuple(Residual(p.name, float(e), 0.0, bool(good), p.robot_m) for p, e, good in residuals)
    )


def _millimetres(parent_from_splat: Sim3, splat: Array, robot: Array) -> Array:
    return 1e3 * np.linalg.norm(parent_from_splat.apply(splat) - robot, axis=1)


def _check_layout(pairs: list[PointPair], splat: Array, robot: Array) -> None:
    names = ", ".join(pair.name for pair in pairs) or "none"
    if len(pairs) < LEAST_PAIRS:
        raise RegistrationRefusedError(
            f"registration from pairs: wanted {LEAST_PAIRS} or more point pairs, got {len(pairs)}: {names}"
        )
    for side, points, least in (("splats", splat, 0.0), ("robot", robot, LEAST_SPREAD_M)):
        spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if spread[1] <= max(0.02 * spread[0], least):
            raise RegistrationRefusedError(
                f"registration from pairs: wanted points that span a plane, got points on one line in the {side}, so "
                f"the scene could turn about it: {names}"
            )


def _agreed(splat: Array, robot: Array, limits: Limits) -> Sim3:
    """Fit to the pairs that agree, found by trying triples."""
    best = umeyama(splat, robot)
    inliers = limits.inliers(_millimetres(best, splat, robot), np.zeros(len(splat)))
    if len(splat) == LEAST_PAIRS or inliers.all():
        return best
    least = _cost(best, splat, robot, limits)
    rng = np.random.default_rng(0)
    for _ in range(min(MOST_SAMPLES, 20 * len(splat) ** 2)):
        triple = rng.choice(len(splat), LEAST_PAIRS, replace=False)
        try:
            guess = umeyama(splat[triple], robot[triple])
        except ValueError:  # three points on a line
            continue
        cost = _cost(guess, splat, robot, limits)
        if cost < least:
            best, least = guess, cost
    for _ in range(10):
        inliers = limits.inliers(_millimetres(best, splat, robot), np.zeros(len(splat)))
        if np.count_nonzero(inliers) < LEAST_PAIRS:
            break
        try:
            best = umeyama(splat[inliers], robot[inliers])
        except ValueError:
            break
    return best


def _cost(guess: Sim3, splat: Array, robot: Array, limits: Limits) -> float:
    return float(np.minimum((_millimetres(guess, splat, robot) / (3.0 * limits.residual_mm)) ** 2, 1.0).sum())


def _check_hand(report: RegistrationReport, splat: Array, robot: Array, limits: Limits) -> None:
    """Refuse where the points fit much better when one side is mirrored. Points of one plane cannot tell."""
    mirrored = splat * [-1.0, 1.0, 1.0]
    straight_mm = _rms(_millimetres(umeyama(splat, robot), splat, robot))
    mirrored_mm = _rms(_millimetres(umeyama(mirrored, robot), mirrored, robot))
    if straight_mm > limits.residual_mm and straight_mm > MIRRORED * mirrored_mm:
        raise RegistrationRefusedError(
            f"registration from pairs: wanted two right-handed sets of points, got mirror images: they fit "
            f"within {mirrored_mm:.1f} mm when one axis is turned round, {straight_mm:.1f} mm as they are; look for an "
            "axis with the wrong sign or two that are swapped",
            report,
        )


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _points(who: str, numbers: list[Any]) -> tuple[Array, Array]:
    try:
        values = np.array([float(number) for number in numbers])
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{who}: wanted 3 + 3 numbers, got {shown(numbers)}") from error
    if values.shape != (6,) or not np.isfinite(values).all():
        raise ValueError(f"{who}: wanted 3 + 3 finite numbers, got {shown(numbers)}")
    return values[:3], values[3:]


def _csv_rows(who: str, path: Path) -> list[tuple[str, list[Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{who}: wanted text, got bytes that are none: {error}") from error
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
    if missing:
        raise ValueError(f"{who}: wanted the columns {', '.join(COLUMNS)}, got no {', '.join(missing)}")
    return [(str(row["name"] or "").strip(), [row[column] for column in COLUMNS[1:]]) for row in reader]


def _yaml_rows(who: str, path: Path) -> list[tuple[str, list[Any]]]:
    document = load_yaml(path, who)
    if not isinstance(document, list):
        raise ValueError(f"{who}: wanted a list of pairs, got {type(document).__name__}")  # noqa: TRY004
    rows = []
    for index, item in enumerate(document):
        keys = isinstance(item, dict) and all(isinstance(item.get(side), list) for side in ("splat", "robot"))
        if not keys or isinstance(item.get("name"), (dict, list)):
            wanted = "{name, splat: [x, y, z], robot: [x, y, z]}"
            raise ValueError(f"{who}: pair {index}: wanted {wanted}, got {shown(item)}")
        rows.append((str(item.get("name", index)), [*item["splat"], *item["robot"]]))
    return rows
