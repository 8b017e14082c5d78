"""Gaussian splats in and out of .ply and .spz files."""

from __future__ import annotations

import gzip
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gsply
import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".ply", ".spz")
PLY_HEADER_BYTES = 65536  # more than any splat header; a file without `end_header` in them has none


@dataclass(frozen=True)
class SplatScene:
    """N Gaussians in the unit of their file.

    Attributes:
        means: (N, 3) centres.
        scales: (N, 3) standard deviations along the Gaussian's own axes, linear, positive.
        quats_wxyz: (N, 4) unit rotations; columns of the rotation matrix are the Gaussian's axes.
        opacities: (N,) in 0..1.
        rgb: (N, 3) in 0..1, from the constant spherical harmonic.
        sh_rest: (N, C, 3) higher spherical harmonics, C one of 0, 3, 8, 15.
        source: Name of the file, for messages.

    Raises:
        ValueError: Shapes disagree, there are no Gaussians, or values are not finite or out of range; all at once.
    """

    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    quats_wxyz: NDArray[np.float32]
    opacities: NDArray[np.float32]
    rgb: NDArray[np.float32]
    sh_rest: NDArray[np.float32]
    source: str = ""

    def __post_init__(self) -> None:
        n = len(self.means)
        shapes = {
            "means": (n, 3),
            "scales": (n, 3),
            "quats_wxyz": (n, 4),
            "opacities": (n,),
            "rgb": (n, 3),
            "sh_rest": (n, self.sh_rest.shape[1] if self.sh_rest.ndim == 3 else 0, 3),
        }
        wrong = [
            f"{name} has shape {getattr(self, name).shape}, expected {shape}"
            for name, shape in shapes.items()
            if getattr(self, name).shape != shape
        ]
        if n == 0:
            wrong = ["file has 0 Gaussians, expected at least 1"]
        if not wrong:
            wrong = self._bad_values()
        if wrong:
            raise ValueError(f"SplatScene({self.source!r}): " + "; ".join(wrong))

    def __len__(self) -> int:
        return len(self.means)

    def _bad_values(self) -> list[str]:
        wrong = []
        names = {
            "means": "means",
            "scales": "scales",
            "quats_wxyz": "rotation",
            "opacities": "opacity",
            "rgb": "colour",
            "sh_rest": "spherical harmonics",
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
        not_unit = int(np.count_nonzero(np.abs(np.linalg.norm(self.quats_wxyz, axis=1) - 1.0) > 1e-3))
        if not_unit:
            wrong.append(f"rotation has {not_unit} quaternions that are not of length 1, expected none")
        for name, values in (("opacity", self.opacities), ("colour", self.rgb)):
            outside = int(np.count_nonzero((values < 0.0) | (values > 1.0)))
            if outside:
                wrong.append(f"{name} has {outside} values outside 0..1, expected none")
        return wrong


def read_splats(path: str | Path) -> SplatScene:
    """Read a .ply (plain or compressed) or .spz file.

    Args:
        path: The file; its suffix says which format.

    Returns:
        Its Gaussians in the order of the file, quaternions normalised, colours clipped to 0..1.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no splat file, is cut short, or holds values that no Gaussian can have.
    """
    path = Path(path)
    who = f"SplatScene({path.name!r})"
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted a .ply or .spz file, got nothing at {path}")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{who}: wanted a file that ends in .ply or .spz, got {path.suffix!r}")
    if suffix == ".ply":
        _check_ply(path, who)
    try:
        # gsply parses untrusted bytes and lets whatever goes wrong inside it escape.
        data = gsply.plyread(path) if suffix == ".ply" else gsply.read_spz(path)
        columns = {
            name: np.array(getattr(data, name), dtype=np.float32)
            for name in ("means", "scales", "quats", "opacities", "sh0")
        }
        rest = np.array(data.shN, dtype=np.float32) if data.shN is not None and np.size(data.shN) else None
    except Exception as error:
        reason = str(error).replace(str(path), path.name) or type(error).__name__
        raise ValueError(f"{who}: wanted a whole {suffix} splat file, got one that cannot be read: {reason}") from error
    quats = columns["quats"]
    norm = np.linalg.norm(quats, axis=1, keepdims=True)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return SplatScene(
            means=columns["means"],
            scales=np.exp(columns["scales"]),
            quats_wxyz=np.where(norm > 0.0, quats / norm, quats).astype(np.float32),
            opacities=(1.0 / (1.0 + np.exp(-columns["opacities"].reshape(-1)))).astype(np.float32),
            rgb=np.clip(0.5 + gsply.SH_C0 * columns["sh0"], 0.0, 1.0).astype(np.float32),
            sh_rest=rest if rest is not None else np.zeros((len(quats), 0, 3), np.float32),
            source=path.name,
        )


def write_splats(path: str | Path, splats: SplatScene) -> None:
    """Write a .ply (exact) or .spz (quantised) file; the same Gaussians give the same bytes.

    Args:
        path: The file; its suffix says which format. Its folder must exist.
        splats: What to write; the order is kept.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: Neither .ply nor .spz, or positions that .spz cannot hold.
    """
    path = Path(path)
    who = f"write_splats({path.name!r})"
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{who}: wanted a file that ends in .ply or .spz, got {path.suffix!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{who}: wanted a folder, got nothing at {path.parent}")
    opacities = np.clip(splats.opacities, 1e-6, 1.0 - 1e-6)
    data = gsply.GSData.from_arrays(
        means=splats.means,
        scales=np.log(splats.scales),
        quats=splats.quats_wxyz,
        opacities=np.log(opacities / (1.0 - opacities)),
        sh0=(splats.rgb - 0.5) / np.float32(gsply.SH_C0),
        shN=splats.sh_rest if splats.sh_rest.shape[1] else None,
        format="ply",
    )
    if path.suffix.lower() == ".ply":
        gsply.plywrite(path, data)
        return
    # 24-bit fixed point: as many bits after the point as the farthest Gaussian leaves.
    reach = float(np.abs(splats.means).max())
    bits = int(np.clip(np.floor(23 - np.log2(max(reach, 1e-6) * 1.001)), 0, 16))
    if bits < 1:
        raise ValueError(f"{who}: .spz wants positions within 4e6 units of the origin, got one at {reach:g}")
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "scene.spz"
        gsply.write_spz(packed, data, fractional_bits=bits)
        # gsply's gzip header may hold the time of day; packed again, equal scenes are equal files.
        path.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()), compresslevel=9, mtime=0))


def _check_ply(path: Path, who: str) -> None:
    """Refuse what gsply answers with an endless loop (no end of the header) or a message that says nothing."""
    with path.open("rb") as stream:
        head = stream.read(PLY_HEADER_BYTES)
    if not head.startswith(b"ply"):
        raise ValueError(f"{who}: wanted a file that begins with 'ply', got {head[:8]!r}")
    end = head.find(b"end_header")
    if end < 0:
        raise ValueError(f"{who}: wanted a header that ends with 'end_header', got none (file of {len(head)} bytes)")
    header = head[:end].decode("ascii", "replace").split("\n")
    words = [line.split() for line in header]
    counts = {w[1]: w[2] for w in words if len(w) == 3 and w[0] == "element"}
    count = counts.get("vertex", "")
    if not count.isdigit():
        raise ValueError(f"{who}: wanted a header with 'element vertex <number>', got {count or 'none'!r}")
    if int(count) == 0:
        raise ValueError(f"{who}: file has 0 Gaussians, expected at least 1")
    floats = [w[2] for w in words if len(w) == 3 and w[:2] == ["property", "float"]]
    if set(counts) == {"vertex"}:
        body_start = head.find(b"\n", end) + 1
        wanted = int(count) * 4 * len(floats)
        got = path.stat().st_size - body_start
        if got < wanted:
            raise ValueError(f"{who}: wanted {wanted} bytes for {count} Gaussians, got {got}; the file was cut short")
