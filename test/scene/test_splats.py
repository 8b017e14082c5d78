from __future__ import annotations

from pathlib import Path

import gsply
import numpy as np
import pytest

from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats


@pytest.fixture
def scene() -> SplatScene:
    rng = np.random.default_rng(1)
    n = 500
    quats = rng.normal(size=(n, 4))
    quats *= np.sign(quats[:, :1]) / np.linalg.norm(quats, axis=1, keepdims=True)
    return SplatScene(
        means=rng.normal(size=(n, 3)).astype(np.float32),
        scales=np.exp(rng.uniform(-7, -2, (n, 3))).astype(np.float32),
        quats_wxyz=quats.astype(np.float32),
        opacities=rng.uniform(0.05, 0.95, n).astype(np.float32),
        sh=rng.uniform(-0.9, 0.9, (n, 4, 3)).astype(np.float32),
    )


def test_ply_gives_back_what_was_written(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", scene)
    got = read_splats(tmp_path / "a.ply")
    for name in ("means", "scales", "quats_wxyz", "opacities", "sh"):
        np.testing.assert_allclose(getattr(got, name), getattr(scene, name), rtol=1e-5, atol=1e-5)


def test_spz_keeps_order_and_is_near(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "a.spz", scene)
    got = read_splats(tmp_path / "a.spz")
    np.testing.assert_allclose(got.means, scene.means, atol=1e-5)
    np.testing.assert_allclose(got.scales, scene.scales, rtol=0.04)
    np.testing.assert_allclose(got.opacities, scene.opacities, atol=0.005)
    np.testing.assert_allclose(got.sh[:, 0], scene.sh[:, 0], atol=0.014)
    np.testing.assert_allclose(np.abs(np.sum(got.quats_wxyz * scene.quats_wxyz, axis=1)), 1.0, atol=1e-4)
    np.testing.assert_allclose(got.sh[:, 1:], scene.sh[:, 1:], atol=0.07)  # 5 bits, as the format's authors do


def test_the_same_scene_is_the_same_spz_file(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "a.spz", scene)
    write_splats(tmp_path / "b.spz", scene)
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"SplatScene\('desk.ply'\): wanted"):
        read_splats(tmp_path / "desk.ply")


@pytest.mark.parametrize("suffix", [".ply", ".spz"])
def test_any_truncation_is_a_named_error(scene: SplatScene, suffix: str, tmp_path: Path) -> None:
    write_splats(tmp_path / f"whole{suffix}", scene)
    raw = (tmp_path / f"whole{suffix}").read_bytes()
    for size in (0, 1, 3, 10, 40, 200, 700, len(raw) // 2, len(raw) - 1):
        (tmp_path / f"cut{suffix}").write_bytes(raw[:size])
        with pytest.raises(ValueError, match=rf"SplatScene\('cut{suffix}'\): wanted"):
            read_splats(tmp_path / f"cut{suffix}")


@pytest.mark.parametrize("suffix", [".ply", ".spz"])
def test_another_file_under_the_name_is_an_error(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    with pytest.raises(ValueError, match=rf"SplatScene\('a{suffix}'\): wanted"):
        read_splats(tmp_path / f"a{suffix}")


def test_unknown_suffix_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0")
    with pytest.raises(ValueError, match=r"wanted a file that ends in .ply or .spz, got '.obj'"):
        read_splats(tmp_path / "a.obj")


def test_ply_without_splat_properties_is_an_error(tmp_path: Path) -> None:
    header = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
    )
    (tmp_path / "points.ply").write_bytes(header.encode() + b"end_header\n" + bytes(24))
    with pytest.raises(ValueError, match=r"SplatScene\('points.ply'\)"):
        read_splats(tmp_path / "points.ply")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (6, np.nan, "opacity has 3 non-finite values, expected none"),
        (0, np.inf, "means has 3 non-finite values, expected none"),
        (7, np.nan, "scales has 3 non-finite values, expected none"),
        (7, np.inf, "scales has 3 non-finite values, expected none"),
        (7, -np.inf, "scales has 3 values that are zero or negative"),
        (10, np.nan, "rotation has 3 non-finite values"),
    ],
)
def test_bad_values_are_counted(column: int, value: float, message: str, scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "desk.ply", scene.with_sh_degree(0))
    raw = (tmp_path / "desk.ply").read_bytes()
    start = raw.index(b"end_header\n") + len(b"end_header\n")
    table = np.frombuffer(raw[start:], np.float32).reshape(len(scene), -1).copy()
    table[[3, 5, 7], column] = value
    (tmp_path / "desk.ply").write_bytes(raw[:start] + table.tobytes())
    with pytest.raises(ValueError, match=rf"SplatScene\('desk.ply'\): .*{message}"):
        read_splats(tmp_path / "desk.ply")


def test_zero_quaternion_is_an_error(scene: SplatScene, tmp_path: Path) -> None:
    quats = scene.quats_wxyz.copy()
    quats[4] = 0.0
    data = gsply.GSData.from_arrays(
        means=scene.means,
        scales=np.log(scene.scales),
        quats=quats,
        opacities=scene.opacities,
        sh0=scene.sh[:, 0],
        format="ply",
    )
    gsply.plywrite(tmp_path / "a.ply", data)
    with pytest.raises(ValueError, match="rotation has 1 quaternions that are not of length 1"):
        read_splats(tmp_path / "a.ply")


def test_no_gaussians_is_an_error(tmp_path: Path) -> None:
    header = b"ply\nformat binary_little_endian 1.0\nelement vertex 0\nproperty float x\nend_header\n"
    (tmp_path / "empty.ply").write_bytes(header)
    with pytest.raises(ValueError, match=r"SplatScene\('empty.ply'\): file has 0 Gaussians, expected at least 1"):
        read_splats(tmp_path / "empty.ply")
