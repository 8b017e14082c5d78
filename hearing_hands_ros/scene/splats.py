"""Gaussian splats: what a reconstruction is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.scene import memory, ply, spz
from hearing_hands_ros.whole_file import whole_file

Array = NDArray[np.float32]

C0 = 0.28209479177387814  # the constant spherical harmonic
SH_COUNTS = (1, 4, 9, 16)  # coefficients of degree 0 to 3
SUFFIXES = (".ply", ".spz")
FAINTEST = 1.0 / 255.0  # renderers leave out what is fainter
LARGEST_SH = 1e3  # trained coefficients stay below 10
LARGEST_SPREAD = 1e6  # times the size of the scene; a Gaussian or a distance beyond was misread
SAMPLE = 10_000  # Gaussians that tell the size of the scene


@dataclass(frozen=True)
class SplatScene:
    """N Gaussians in the unit of their file.

    Attributes:
        means: (N, 3) centres.
        scales: (N, 3) standard deviations along the Gaussian's own axes, linear, positive.
        quats_wxyz: (N, 4) unit rotations; columns of the rotation matrix are the Gaussian's axes.
        opacities: (N,) in 0..1.
        sh: (N, (d + 1)^2, 3) spherical harmonics of degree d = 0 to 3, as trained: not clipped, constant one first.
        source: Name of the file, for messages.

    Raises:
        ValueError: Shapes disagree, there are no Gaussians, or values are not finite or out of range; all at once.
    """

    means: Array
    scales: Array
    quats_wxyz: Array
    opacities: Array
    sh: Array
    source: str = ""

    def __post_init__(self) -> None:
        n = len(self.means)
        coefficients = self.sh.shape[1] if self.sh.ndim == 3 else 0
        shapes = {
            "means": (n, 3),
            "scales": (n, 3),
            "quats_wxyz": (n, 4),
            "opacities": (n,),
            "sh": (n, coefficients if coefficients in SH_COUNTS else 1, 3),
        }
        wrong = [
            f"{name} has shape {getattr(self, name).shape}, expected {shape}"
            for name, shape in shapes.items()
            if getattr(self, name).shape != shape
        ]
        if n == 0:
            wrong = ["file has 0 Gaussians, expected at least 1"]
        if wrong := wrong or self._bad_values():
            raise ValueError(f"SplatScene({self.source!r}): " + "; ".join(wrong))

    @classmethod
    def from_rgb(
        cls, means: Array, scales: Array, quats_wxyz: Array, opacities: Array, rgb: ArrayLike, source: str = ""
    ) -> SplatScene:
        """Gaussians that look the same from everywhere; `rgb` is (N, 3) in 0..1."""
        sh = ((np.asarray(rgb, np.float32) - np.float32(0.5)) / np.float32(C0))[:, None]
        return cls(means, scales, quats_wxyz, opacities, sh, source)

    @classmethod
    def concatenate(cls, parts: Sequence[SplatScene]) -> SplatScene:
        """All Gaussians of the parts, one after the other, at the highest degree among them.

        Raises:
            ValueError: There are no parts.
        """
        if not parts:
            raise ValueError("SplatScene.concatenate: wanted at least one part, got none")
        degree = max(part.sh_degree for part in parts)
        parts = [part.with_sh_degree(degree) for part in parts]
        names = ("means", "scales", "quats_wxyz", "opacities", "sh")
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(**columns, source=parts[0].source)

    def __len__(self) -> int:
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return SH_COUNTS.index(self.sh.shape[1])

    @property
    def rgb(self) -> Array:
        """(N, 3) in 0..1, the colour without what changes with the direction."""
        return np.clip(np.float32(0.5) + np.float32(C0) * self.sh[:, 0], 0.0, 1.0)

    def scaled(self, factor: float) -> SplatScene:
        """The same Gaussians in a unit that is `1 / factor` as long: `scaled(metres_per_unit)` is in metres."""
        by = np.float32(factor)
        return replace(self, means=self.means * by, scales=self.scales * by)

    def select(self, which: ArrayLike) -> SplatScene:
        """The Gaussians of a (N,) mask or of (M,) indices, in that order."""
        rows = np.asarray(which)
        return replace(
            self,
            means=self.means[rows],
            scales=self.scales[rows],
            quats_wxyz=self.quats_wxyz[rows],
            opacities=self.opacities[rows],
            sh=self.sh[rows],
        )

    def with_sh_degree(self, degree: int) -> SplatScene:
        """The same Gaussians with higher harmonics cut off, or zeros put there.

        Raises:
            ValueError: The degree is not 0 to 3.
        """
        check_degree("SplatScene.with_sh_degree", degree)
        if degree == self.sh_degree:
            return self
        sh = np.zeros((len(self), SH_COUNTS[degree], 3), np.float32)
        kept = min(SH_COUNTS[degree], self.sh.shape[1])
        sh[:, :kept] = self.sh[:, :kept]
        return replace(self, sh=sh)

    def _bad_values(self) -> list[str]:
        wrong = []
        names = {
            "means": "means",
            "scales": "scales",
            "quats_wxyz": "rotation",
            "opacities": "opacity",
            "sh": "spherical harmonics",
        }
        for field, name in names.items():
            bad = int(np.count_nonzero(~np.isfinite(getattr(self, field))))
            if bad:
                wrong.append(f"{name} has {bad} non-finite value{'s' * (bad > 1)}, expected none")
        if wrong:
            return wrong
        not_positive = int(np.count_nonzero(self.scales <= 0.0))
        if not_positive:
            wrong.append(f"scales has {not_positive} values that are zero or negative, expected all positive")
        length2 = np.einsum("ni,ni->n", self.quats_wxyz, self.quats_wxyz)
        not_unit = int(np.count_nonzero(np.abs(length2 - 1.0) > 2e-3))
        if not_unit:
            wrong.append(f"rotation has {not_unit} quaternions that are not of length 1, expected none")
        outside = int(np.count_nonzero((self.opacities < 0.0) | (self.opacities > 1.0)))
        if outside:
            wrong.append(f"opacity has {outside} values outside 0..1, expected none")
        return wrong


def read_splats(path: str | Path, sh_degree: int = 3) -> SplatScene:
    """Read a .ply (plain or compressed) or .spz file.

    Args:
        path: The file; its suffix says which format.
        sh_degree: Spherical harmonics above it are left in the file, which saves memory.

    Returns:
        Its Gaussians in the order of the file, quaternions normalised, colours as trained.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no splat file, is cut short, holds values that no Gaussian can have, shows nothing, or needs
            more memory than there is.
    """
    path = Path(path)
    who = f"SplatScene({path.name!r})"
    check_degree("read_splats", sh_degree)
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted a .ply or .spz file, got nothing at {path}")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{who}: wanted a file that ends in .ply or .spz, got {path.suffix!r}")
    with path.open("rb") as stream:
        file = ply.open_ply(stream, who) if suffix == ".ply" else spz.open_spz(stream, who)
        degree = min(sh_degree, file.sh_degree)
        _require_memory(who, file, degree)
        columns = file.read(SH_COUNTS[degree])
    quats = columns["quats_wxyz"]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        norm = np.linalg.norm(quats, axis=1, keepdims=True)
        columns["quats_wxyz"] = np.where(norm > 0.0, quats / norm, quats)
    splats = SplatScene(**columns, source=path.name)
    if wrong := _absurdities(splats):
        raise ValueError(f"{who}: " + "; ".join(wrong))
    return splats


def write_splats(path: str | Path, splats: SplatScene) -> None:
    """Write a .ply (exact, large) or .spz (quantised, about a quarter) file; a file of that name is replaced.

    Raises:
        ValueError: The suffix is another, or the scene does not fit into .spz.
    """
    path = Path(path)
    who = f"write_splats({path.name!r})"
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{who}: wanted a name that ends in .ply or .spz, got {path.suffix!r}")
    # The renderers' opacity is a sigmoid; its ends lie at infinity.
    opacities = np.clip(splats.opacities, 1e-6, 1.0 - 1e-6)
    columns = {
        "means": splats.means,
        "log_scales": np.log(splats.scales),
        "quats_wxyz": splats.quats_wxyz,
        "logits": np.log(opacities / (1.0 - opacities)),
        "sh": splats.sh,
    }
    with whole_file(path) as draft:
        if suffix == ".ply":
            ply.write_ply(draft, columns)
        else:
            spz.write_spz(draft, columns, who)


def check_degree(who: str, degree: int) -> None:
    """Refuse a degree of spherical harmonics that no file has.

    Raises:
        ValueError: It is not 0, 1, 2 or 3.
    """
    if degree not in range(len(SH_COUNTS)):
        raise ValueError(f"{who}: wanted spherical harmonics of degree 0 to 3, got {degree}")


def _require_memory(who: str, file: ply.PlyFile | spz.SpzFile, degree: int) -> None:
    def wanted(at: int) -> int:
        return int(file.overhead * file.count * (11 + 3 * SH_COUNTS[at]) * 4)

    advice = "crop the scene on a larger machine"
    if degree:
        advice += f", or read it without colours that change with direction (degree 0: {memory.gigabytes(wanted(0))})"
    memory.require(who, f"{file.count} Gaussians of degree {degree}", wanted(degree), advice)


def _absurdities(splats: SplatScene) -> list[str]:
    """What a file may hold, number by number, and a scene may not."""
    wrong = []
    sample = splats.means[:: len(splats) // SAMPLE + 1].astype(np.float64)
    low, high = np.percentile(sample, (5.0, 95.0), axis=0)
    size = float((high - low).max())
    if size > 0.0:
        most = np.float64(LARGEST_SPREAD * size)
        if wide := int(np.count_nonzero(splats.scales > most)):
            wrong.append(f"scales has {wide} values over {LARGEST_SPREAD:g} times as large as the scene ({size:.3g})")
        if far := int(np.count_nonzero(np.abs(splats.means - np.median(sample, axis=0)) > most)):
            wrong.append(f"means has {far} values over {LARGEST_SPREAD:g} times as far off as the scene is wide")
    brightest = max(float(splats.sh.max()), -float(splats.sh.min()))
    if brightest > LARGEST_SH:
        wrong.append(f"spherical harmonics go up to {brightest:.3g}, expected at most {LARGEST_SH:g}")
    clearest = float(splats.opacities.max())
    if clearest < FAINTEST:
        wrong.append(f"opacity is {clearest:.2g} at most, so nothing would be seen, expected some over {FAINTEST:.4f}")
    return wrong
