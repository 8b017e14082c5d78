"""Features of the whole surface, computed once: at run time a touch costs a look-up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.cells import SurfaceCells
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import LocalView
from hearing_hands_ros.scene.views import SceneViews
from hearing_hands_ros.vision.encoder import Features, ImageEncoder

FORMAT = 1
FOLDER = "features"  # in the scene's
BATCH = 16
NEIGHBOURS = 5  # cells that a cell is compared with, itself among them
FIELDS = ("format", "scene", "encoder", "view", "cell_m", "points_m", "normals", "features")


@dataclass(eq=False)
class BakedFeatures:
    """The local view's feature of every surface cell.

    Attributes:
        cells: C pieces of the surface.
        features: (C, D) float32.
        encoder: Name of the encoder.
        scene: What identifies scene, size and view; see `identity`.
        steadiness: (C,) cosine with the neighbouring cell that looks least like it; low at edges.
    """

    cells: SurfaceCells
    features: Features
    encoder: str
    scene: str
    steadiness: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or len(self.features) != len(self.cells) or not np.isfinite(self.features).all():
            raise ValueError(f"BakedFeatures: wanted ({len(self.cells)}, D) finite features, got {self.features.shape}")
        unit = self.features / np.maximum(np.linalg.norm(self.features, axis=1, keepdims=True), 1e-9)
        _, near = cKDTree(self.cells.points_m).query(self.cells.points_m, k=min(NEIGHBOURS, len(unit)))
        alike = np.einsum("cd,ckd->ck", unit, unit[near.reshape(len(unit), -1)])
        self.steadiness = alike.min(axis=1)

    @classmethod
    def bake(
        cls,
        bundle: SceneBundle,
        surface: SplatSurface,
        views: SceneViews,
        encoder: ImageEncoder,
        cell_m: float = 0.03,
        progress: Callable[[int, int], object] | None = None,
    ) -> BakedFeatures:
        """Render and encode every cell.

        Args:
            bundle: The scene.
            surface: Of that scene.
            views: Of that scene; its local view is taken.
            encoder: Of the views.
            cell_m: Size of a cell.
            progress: Told (cells done, cells in all).
        """
        cells = SurfaceCells.of(bundle, surface, cell_m)
        parts = []
        for first in range(0, len(cells), BATCH):
            part = slice(first, first + BATCH)
            parts.append(encoder.encode(views.look_at_surface(cells.points_m[part], cells.normals[part])))
            if progress is not None:
                progress(min(first + BATCH, len(cells)), len(cells))
        return cls(cells, np.concatenate(parts), encoder.name, identity(bundle, views.settings.local))

    @classmethod
    def of(
        cls,
        scene_folder: str | Path,
        bundle: SceneBundle,
        surface: SplatSurface,
        views: SceneViews,
        encoder: ImageEncoder,
        cell_m: float = 0.03,
        progress: Callable[[int, int], object] | None = None,
    ) -> BakedFeatures:
        """Load what is kept beside the scene; bake and keep it where there is nothing, or something else."""
        path = cls.path(scene_folder, encoder.name, cell_m)
        try:
            return cls.load(path, bundle, encoder, views.settings.local)
        except (FileNotFoundError, ValueError):
            baked = cls.bake(bundle, surface, views, encoder, cell_m, progress)
            baked.save(path)
            return baked

    def find(self, points_m: ArrayLike, normals: ArrayLike) -> tuple[Features, NDArray[np.int64]]:
        """Features at points of the surface.

        Returns:
            (M, D) features, zero where there is no cell; (M,) cells, -1 for none.
        """
        cell = self.cells.find(points_m, normals)
        return np.where((cell >= 0)[:, None], self.features[cell], np.float32(0.0)), cell

    # Beside the scene.

    @staticmethod
    def path(scene_folder: str | Path, encoder: str, cell_m: float) -> Path:
        """Where the features of a scene are kept."""
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", encoder)
        return Path(scene_folder) / FOLDER / f"{plain}_{cell_m * 1000:g}mm.npz"

    def save(self, path: str | Path) -> None:
        """Write an .npz; features in half precision."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".part")
        with draft.open("wb") as stream:
            np.savez_compressed(
                stream,
                format=FORMAT,
                scene=self.scene,
                encoder=self.encoder,
                cell_m=self.cells.cell_m,
                points_m=self.cells.points_m.astype(np.float32),
                normals=self.cells.normals.astype(np.float32),
                features=self.features.astype(np.float16),
            )
        draft.replace(path)

    @classmethod
    def load(cls, path: str | Path, bundle: SceneBundle, encoder: ImageEncoder, view: LocalView) -> BakedFeatures:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read, or is of another scene, view or encoder.
        """
        path = Path(path)
        who = f"BakedFeatures({path.name!r})"
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted baked features, got nothing at {path}; hearing-hands scene bake")
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                content = {name: stored[name] for name in stored.files}
            wanted = {"format": FORMAT, "scene": identity(bundle, view), "encoder": encoder.name}
            got = {name: content[name].item() for name in wanted}
            cells = SurfaceCells(
                float(content["cell_m"]), content["points_m"].astype(np.float64), content["normals"].astype(np.float64)
            )
            features = content["features"].astype(np.float32)
        except Exception as error:
            raise ValueError(f"{who}: wanted baked features, got a file that cannot be read: {error!r}") from error
        for name, value in wanted.items():
            if got[name] != value:
                raise ValueError(f"{who}: {name} wanted {value!r}, got {got[name]!r}; bake again")
        if cells.points_m.shape[1] != 3 or not (0.0 < cells.cell_m < np.inf and np.isfinite(cells.normals).all()):
            raise ValueError(f"{who}: wanted (C, 3) finite cells of a positive size, got other ones; bake again")
        if features.shape != (len(cells), encoder.dim):
            raise ValueError(f"{who}: features wanted {(len(cells), encoder.dim)}, got {features.shape}")
        return cls(cells, features, encoder.name, identity(bundle, view))


def identity(bundle: SceneBundle, view: LocalView) -> str:
    """What a baked feature depends on beside the encoder: splats, their size in metres, and how they are looked at."""
    looked = ",".join(f"{name}={value:g}" for name, value in asdict(view).items())
    return f"{bundle.sha256} scale={bundle.scale:.9g} {looked}"
