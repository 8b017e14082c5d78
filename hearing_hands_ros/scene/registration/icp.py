"""Registration from a point cloud: its points are laid onto the surface that the splats make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.registration.report import Limits, RegistrationRefusedError, RegistrationReport, Residual
from hearing_hands_ros.scene.rotations import from_wxyz, to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

Array = NDArray[np.float64]
WHO = "registration from a cloud"
OPAQUE = 0.5  # Gaussians under this are haze, not surface
MOST_GAUSSIANS = 150_000
LEAST_POINTS = 500
REACHES_M = (0.30, 0.12, 0.05, 0.03)  # how far a point looks for its surface, coarse to fine
FAR_M = 0.05  # a point farther from every Gaussian than this does not belong to the scene
PART_POINTS = 500
YAWS, SCALES, SHIFTS_M = 24, (0.6, 0.75, 0.9, 1.1, 1.35, 1.65), (-0.5, 0.0, 0.5)
TRIED, KEPT = 40, 4  # starts that are followed coarsely, and to the end
DIFFERENT_DEG, DIFFERENT_M = 5.0, 0.05  # answers farther apart than this are two
AMBIGUOUS = 1.3  # a second answer whose cost is less than so many times the best one's
LEAST_STIFFNESS = 0.01  # of the fit in its weakest direction; a view of the room has 0.06, its floor and one wall 0.005
SCALE_FREEDOM = 1.3  # the scale may end so many times off the given one


@dataclass(frozen=True)
class _Surface:
    """Centres and unit normals of the opaque Gaussians, splat units."""

    points: Array
    normals: Array
    tree: cKDTree

    def sparse(self, count: int) -> _Surface:
        """At most so many of its points."""
        step = max(1, len(self.points) // count)
        return _Surface(self.points[::step], self.normals[::step], cKDTree(self.points[::step]))

    @classmethod
    def of(cls, splats: SplatScene) -> _Surface:
        chosen = np.flatnonzero(splats.opacities >= OPAQUE)
        if len(chosen) < LEAST_POINTS:
            raise RegistrationRefusedError(
                f"{WHO}: wanted {LEAST_POINTS} or more Gaussians of opacity {OPAQUE} or more, got {len(chosen)}"
            )
        if len(chosen) > MOST_GAUSSIANS:
            chosen = np.random.default_rng(0).choice(chosen, MOST_GAUSSIANS, replace=False)
        axes = from_wxyz(splats.quats_wxyz[chosen]).as_matrix()
        normals = axes[np.arange(len(chosen)), :, np.argmin(splats.scales[chosen], axis=1)]
        points = splats.means[chosen].astype(np.float64)
        return cls(points, normals, cKDTree(points))


def register_from_cloud(
    splats: SplatScene,
    cloud_m: ArrayLike,
    limits: Limits | None = None,
    up: ArrayLike = (0.0, 0.0, 1.0),
    initial: Sim3 | None = None,
) -> RegistrationReport:
    """Similarity that takes the splats to where a depth camera saw their surface.

    Point-to-plane ICP with scale, with a robust loss and a reach that shrinks. Distances are measured in metres from
    the cloud to the scene, so a shrinking scene does not make them small.

    Args:
        splats: The scene.
        cloud_m: (M, 3) points in the parent frame, m, from one or more views; rows that are not finite are left out.
        limits: What it must keep to. "Observations" are the parts of the cloud.
        up: (3,) of the scene, along the splats' axes.
        initial: A guess. Without one every heading and several sizes are tried with the scene's up axis along z; that
            wants a cloud of most of the scene.

    Raises:
        RegistrationRefusedError: Too few points, a cloud whose shape leaves the answer open (one plane), two
            answers that fit alike, a scale that runs away from the guess, or a limit is passed.
        ValueError: The cloud is not (M, 3).
    """
    limits = limits or Limits()
    cloud = np.asarray(cloud_m, np.float64)
    if cloud.ndim != 2 or cloud.shape[1] != 3:
        raise ValueError(f"{WHO}: wanted (M, 3) points, got {cloud.shape}")
    cloud = cloud[np.isfinite(cloud).all(axis=1)]
    if len(cloud) < LEAST_POINTS:
        raise RegistrationRefusedError(f"{WHO}: wanted {LEAST_POINTS} or more finite points, got {len(cloud)}")
    cloud = thinned(cloud, 0.01, 20_000)
    surface = _Surface.of(splats)
    up = np.asarray(up, np.float64)
    found = _search(surface, cloud, up) if initial is None else _followed(surface, cloud, initial, REACHES_M, 30)
    if initial is not None and not 1 / SCALE_FREEDOM < found.scale / initial.scale < SCALE_FREEDOM:
        raise RegistrationRefusedError(
            f"{WHO}: wanted a scale within {SCALE_FREEDOM:g} times of the guess {initial.scale:.4g}, got "
            f"{found.scale:.4g}; the guess is too far off, or the cloud does not show this scene"
        )
    _check_stiffness(surface, cloud, found)
    report = RegistrationReport("a cloud", found, tuple(_parts(surface, cloud, found, limits)))
    report.check(limits, up)
    return report


def thinned(points: Array, voxel_m: float, most: int) -> Array:
    """One point of every voxel, at most so many; the voxels grow where needed."""
    while True:
        cells = np.floor(points / voxel_m).astype(np.int64)
        _, first = np.unique(cells, axis=0, return_index=True)
        if len(first) <= most:
            return points[np.sort(first)]
        voxel_m *= 1.2


def _matched(surface: _Surface, cloud: Array, guess: Sim3) -> tuple[Array, Array, Array]:
    """Nearest surface of each cloud point in the parent frame: points, normals, distances, all in metres."""
    distance, index = surface.tree.query(guess.inverse().apply(cloud))
    return guess.apply(surface.points[index]), guess.rotation.apply(surface.normals[index]), distance * guess.scale


def _rows(points: Array, normals: Array, centre: Array) -> Array:
    """(M, 7) how a point's height over its plane falls with scale, turn (3) and shift (3) of the scene."""
    arm = points - centre
    height = np.einsum("ni,ni->n", arm, normals)
    return np.concatenate([height[:, None], np.cross(arm, normals), normals], axis=1)


def _followed(surface: _Surface, cloud: Array, guess: Sim3, reaches_m: tuple[float, ...], rounds: int) -> Sim3:
    centre = cloud.mean(axis=0)
    for reach in reaches_m:
        for _ in range(rounds):
            points, normals, distance = _matched(surface, cloud, guess)
            near = distance < reach
            if np.count_nonzero(near) < 20:
                break
            height = np.einsum("ni,ni->n", cloud[near] - points[near], normals[near])
            bend = 0.2 * reach
            weight = 1.0 / (1.0 + (height / bend) ** 2)  # Cauchy: what is not in the scene soon counts nothing
            rows = _rows(points[near], normals[near], centre)
            normal = rows.T @ (weight[:, None] * rows)
            normal[np.diag_indices(7)] += 1e-6 * np.trace(normal)
            step = np.linalg.solve(normal, rows.T @ (weight * height))
            step *= min(1.0, 0.3 / max(float(np.abs(step[:4]).max()), 1e-12))
            guess = _stepped(guess, step, centre)
            if np.abs(step).max() < 1e-6:
                break
    return guess


def _stepped(guess: Sim3, step: Array, centre: Array) -> Sim3:
    """A guess after a small change of scale, turn and shift about a centre."""
    turn = Rotation.from_rotvec(step[1:4])
    growth = float(np.exp(step[0]))
    change = Sim3(growth, to_wxyz(turn), centre + step[4:] - growth * turn.apply(centre))
    return change @ guess


def _cost(surface: _Surface, cloud: Array, guess: Sim3, far_m: float) -> float:
    distance, _ = surface.tree.query(guess.inverse().apply(cloud), distance_upper_bound=far_m / guess.scale)
    return float(np.mean(np.minimum(distance * guess.scale, far_m) ** 2))


def _search(surface: _Surface, cloud: Array, up: Array) -> Sim3:
    """Try headings, sizes and shifts, follow the most promising ones."""
    rng = np.random.default_rng(0)
    few, some, many = (cloud[rng.permutation(len(cloud))[:count]] for count in (250, 1000, 4000))
    sketch = surface.sparse(10_000)
    starts = sorted(_starts(sketch, cloud, up), key=lambda guess: _cost(sketch, few, guess, 0.5))[:TRIED]
    coarse = [_followed(sketch, some, start, REACHES_M[:2], 12) for start in starts]
    coarse.sort(key=lambda guess: _cost(surface, some, guess, 0.1))
    answers: list[tuple[float, Sim3]] = []
    for guess in coarse:
        if len(answers) == KEPT:
            break
        if not any(_alike(guess, other, cloud) for _, other in answers):
            found = _followed(surface, many, guess, REACHES_M[1:], 15)
            answers.append((_cost(surface, many, found, FAR_M), found))
    answers.sort(key=lambda answer: answer[0])
    cost, best = answers[0]
    for other_cost, other in answers[1:]:
        if other_cost < AMBIGUOUS * cost and not _alike(best, other, cloud):
            turn = np.rad2deg((best.rotation * other.rotation.inv()).magnitude())
            raise RegistrationRefusedError(
                f"{WHO}: wanted one answer, got two that fit alike: scale {best.scale:.4g} and {other.scale:.4g}, "
                f"{turn:.0f} deg apart; give a guess, or a cloud of more of the scene"
            )
    return _followed(surface, cloud, best, REACHES_M[2:], 15)


def _starts(surface: _Surface, cloud: Array, up: Array) -> Iterator[Sim3]:
    upright = _upright(up)
    low, middle, high = np.percentile(cloud, [2, 50, 98], axis=0)
    for yaw in np.arange(YAWS) * (2 * np.pi / YAWS):
        rotation = Rotation.from_rotvec([0.0, 0.0, yaw]) * upright
        turned = rotation.apply(surface.points)
        scene_low, scene_middle, scene_high = np.percentile(turned, [2, 50, 98], axis=0)
        # Overall size, over all headings the same to within a few percent.
        base = float(np.linalg.norm(high - low) / np.linalg.norm(scene_high - scene_low))
        for scale in base * np.array(SCALES):
            shift = middle - scale * scene_middle
            for z in (shift[2], low[2] - scale * scene_low[2]):
                for dx in SHIFTS_M:
                    for dy in SHIFTS_M:
                        yield Sim3(
                            float(scale),
                            to_wxyz(rotation),
                            np.array([shift[0] + dx, shift[1] + dy, z]),
                        )


def _upright(up: Array) -> Rotation:
    """The least turn that takes a unit vector to the z axis."""
    # SciPy's align_vectors does the same; version 1.11 warns that one vector leaves the heading open.
    x, y, z = (float(value) for value in up)
    axis = np.array([y, -x, 0.0]) if np.hypot(x, y) > 1e-9 else np.array([1.0, 0.0, 0.0])
    return Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.arctan2(np.hypot(x, y), z))


def _alike(one: Sim3, other: Sim3, cloud: Array) -> bool:
    apart = np.linalg.norm(one.apply(other.inverse().apply(cloud[::50])) - cloud[::50], axis=1).max()
    turn = np.rad2deg((one.rotation * other.rotation.inv()).magnitude())
    return bool(apart < DIFFERENT_M and turn < DIFFERENT_DEG)


def _check_stiffness(surface: _Surface, cloud: Array, found: Sim3) -> None:
    """Refuse a cloud along which the scene could slide, turn or grow without being noticed."""
    points, normals, distance = _matched(surface, cloud, found)
    near = distance < FAR_M
    if np.count_nonzero(near) < 20:
        raise RegistrationRefusedError(
            f"{WHO}: wanted points within {FAR_M:g} m of the scene, got {np.count_nonzero(near)} of {len(cloud)}; the "
            "guess is too far off, or the cloud does not show this scene"
        )
    centre = points[near].mean(axis=0)
    size = float(np.sqrt(np.mean(np.sum((points[near] - centre) ** 2, axis=1))))
    rows = _rows((points[near] - centre) / size, normals[near], np.zeros(3))
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    if values[0] < LEAST_STIFFNESS:
        weak = np.abs(vectors[:, 0])
        what = ("scale", "rotation", "position")[int(np.argmax([weak[0], weak[1:4].max(), weak[4:].max()]))]
        raise RegistrationRefusedError(
            f"{WHO}: wanted surfaces that face three ways, got a cloud that leaves the {what} open (stiffness "
            f"{values[0]:.1e}, wanted {LEAST_STIFFNESS:.0e}): it shows one plane, or planes that only meet in one line"
        )


def _parts(surface: _Surface, cloud: Array, found: Sim3, limits: Limits) -> Iterator[Residual]:
    """Residuals of the parts of the cloud, each with the turn that it alone would ask for."""
    points, normals, distance = _matched(surface, cloud, found)
    height = np.einsum("ni,ni->n", cloud - points, normals)
    height = np.where(distance < FAR_M, height, distance)
    rows = []
    for part in _halved(cloud, np.arange(len(cloud))):
        best = part[np.argsort(np.abs(height[part]))[: max(3, int(0.8 * len(part)))]]  # the rest is not in the scene
        mm = 1e3 * float(np.sqrt(np.mean(height[best] ** 2)))
        centre = cloud[part].mean(axis=0)
        arm = np.cross(cloud[best] - centre, normals[best])
        extent = np.mean(np.sum((cloud[best] - centre) ** 2, axis=1))
        turn = np.linalg.solve(arm.T @ arm / len(best) + 0.01 * extent * np.eye(3), arm.T @ height[best] / len(best))
        name = "part at ({:.2f}, {:.2f}, {:.2f})".format(*centre)
        rows.append((name, mm, float(np.rad2deg(np.linalg.norm(turn))), centre))
    inliers = limits.inliers(np.array([row[1] for row in rows]), np.array([row[2] for row in rows]))
    for (name, mm, deg, centre), good in zip(rows, inliers, strict=True):
        yield Residual(name, mm, deg, bool(good), centre)


def _halved(cloud: Array, part: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Compact parts of about equal size: halves of halves along the longest side."""
    if len(part) < 2 * PART_POINTS:
        yield part
        return
    axis = int(np.argmax(np.ptp(cloud[part], axis=0)))
    order = part[np.argsort(cloud[part, axis], kind="stable")]
    for half in np.array_split(order, 2):
        yield from _halved(cloud, half)
