from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gsply
import numpy as np
import pytest

from hearing_hands_ros.scene import memory
from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats


def test_ply_gives_back_what_was_written(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", scene)
    got = read_splats(tmp_path / "a.ply")
    for name in ("means", "scales", "quats_wxyz", "opacities", "sh"):
        np.testing.assert_allclose(getattr(got, name), getattr(scene, name), rtol=1e-5, atol=1e-5)


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
    write_splats(tmp_path / "a.ply", scene)
    raw = (tmp_path / "a.ply").read_bytes()
    (tmp_path / "a.ply").write_bytes(raw[:-16] + bytes(16))  # the last four numbers of the last Gaussian
    with pytest.raises(ValueError, match="rotation has 1 quaternions that are not of length 1"):
        read_splats(tmp_path / "a.ply")


def test_no_gaussians_is_an_error(tmp_path: Path) -> None:
    header = b"ply\nformat binary_little_endian 1.0\nelement vertex 0\nproperty float x\nend_header\n"
    (tmp_path / "empty.ply").write_bytes(header)
    with pytest.raises(ValueError, match=r"SplatScene\('empty.ply'\): file has 0 Gaussians, expected at least 1"):
        read_splats(tmp_path / "empty.ply")


def edit_header(path: Path, old: bytes, new: bytes) -> None:
    raw = path.read_bytes()
    assert old in raw
    path.write_bytes(raw.replace(old, new, 1))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("suffix", [".ply", ".spz"])
def test_every_degree_of_spherical_harmonics(degree: int, suffix: str, scene: SplatScene, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    whole = replace(scene, sh=rng.uniform(-0.9, 0.9, (len(scene), (degree + 1) ** 2, 3)).astype(np.float32))
    write_splats(tmp_path / f"a{suffix}", whole)
    got = read_splats(tmp_path / f"a{suffix}")
    assert got.sh_degree == degree
    np.testing.assert_allclose(got.sh, whole.sh, atol=1e-6 if suffix == ".ply" else 0.07)
    low = read_splats(tmp_path / f"a{suffix}", sh_degree=min(1, degree))
    np.testing.assert_array_equal(low.sh, got.sh[:, : low.sh.shape[1]])


@pytest.mark.parametrize("degree", [0, 3])
def test_other_readers_and_writers_agree(degree: int, scene: SplatScene, tmp_path: Path) -> None:
    """gsply reads the same Gaussians from the same files."""
    rng = np.random.default_rng(3)
    whole = replace(scene, sh=rng.uniform(-0.9, 0.9, (len(scene), (degree + 1) ** 2, 3)).astype(np.float32))
    for suffix, read in ((".ply", gsply.plyread), (".spz", gsply.read_spz)):
        write_splats(tmp_path / f"a{suffix}", whole)
        ours, theirs = read_splats(tmp_path / f"a{suffix}"), read(tmp_path / f"a{suffix}")
        np.testing.assert_allclose(ours.means, theirs.means, rtol=1e-6)
        np.testing.assert_allclose(ours.scales, np.exp(theirs.scales), rtol=1e-5)
        np.testing.assert_allclose(np.abs((ours.quats_wxyz * theirs.quats).sum(axis=1)), 1.0, atol=1e-5)
        np.testing.assert_allclose(ours.sh[:, 0], theirs.sh0, rtol=1e-5, atol=1e-6)
        if degree:
            np.testing.assert_allclose(ours.sh[:, 1:], theirs.shN, atol=1e-6)


def test_compressed_ply_is_near(scene: SplatScene, tmp_path: Path) -> None:
    data = gsply.GSData.from_arrays(
        means=scene.means,
        scales=np.log(scene.scales),
        quats=scene.quats_wxyz,
        opacities=np.log(scene.opacities / (1 - scene.opacities)),
        sh0=np.ascontiguousarray(scene.sh[:, 0]),
        shN=np.ascontiguousarray(scene.sh[:, 1:]),
        format="ply",
    )
    (tmp_path / "a.ply").write_bytes(gsply.compress_to_bytes(data))
    got = read_splats(tmp_path / "a.ply")
    assert len(got) == len(scene) and got.sh_degree == 1
    nearest = np.linalg.norm(got.means[:, None] - scene.means[None], axis=2).argmin(axis=1)  # it sorts them
    assert sorted(nearest) == list(range(len(scene)))
    np.testing.assert_allclose(got.opacities, scene.opacities[nearest], atol=0.01)
    np.testing.assert_allclose(got.sh, scene.sh[nearest], atol=0.05)


def test_double_precision_big_endian_and_shuffled_properties_are_read(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", scene)
    raw = (tmp_path / "a.ply").read_bytes()
    start = raw.index(b"end_header\n") + len(b"end_header\n")
    names = [line.split()[2] for line in raw[:start].decode().splitlines() if line.startswith("property")]
    table = np.frombuffer(raw[start:], "<f4").reshape(len(scene), -1)
    order = np.random.default_rng(4).permutation(len(names))
    rows = [f"property double {names[i]}" for i in order]
    header = ["ply", "format binary_big_endian 1.0", "comment by another program", f"element vertex {len(scene)}"]
    text = "\r\n".join([*header, *rows, "property uchar flag", "end_header", ""])
    record = np.dtype([*((names[i], ">f8") for i in order), ("flag", "u1")])
    out = np.zeros(len(scene), record)
    for i in order:
        out[names[i]] = table[:, i]
    (tmp_path / "b.ply").write_bytes(text.encode() + out.tobytes())
    a, b = read_splats(tmp_path / "a.ply"), read_splats(tmp_path / "b.ply")
    for name in ("means", "scales", "quats_wxyz", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            b"element vertex 500",
            b"element vertex 501",
            r"bytes for 501 Gaussians, got \d+; the file was cut",
        ),
        (b"element vertex 500", b"element vertex 499", r"wanted \d+ bytes for 499 Gaussians, got \d+; its header lies"),
        (b"element vertex 500", b"element vertex 99999999999999", r"bytes for 99999999999999 Gaussians, got"),
        (b"element vertex 500", b"element vertex -5", r"wanted a binary format, .* got 'element vertex -5'"),
        (b"element vertex", b"element face", r"'element vertex <number>', got \['face'\]"),
        (b"float opacity", b"uchar opacity", r"wanted float or double, got others: opacity \(u1\)"),
        (b"property float rot_3\n", b"property list uchar int rot_3\n", r"got 'property list uchar int rot_3'"),
        (b"float rot_3", b"float rot_4", r"missing: rot_3"),
        (b"float f_rest_8", b"float f_rest_9", r"missing: f_rest_8"),
        (b"property float f_rest_8\n", b"", r"f_rest_\*: wanted 0, 9, 24, 45 of them \(degree 0 to 3\), got 8"),
        (b"float y", b"float x", r"each property once in the header, got 'x' twice"),
        (b"binary_little_endian", b"ascii", r"got 'format ascii 1.0'"),
        (b"format binary_little_endian 1.0\n", b"", r"'format binary_little_endian 1.0', got none"),
    ],
)
def test_ply_headers_that_lie_are_refused(
    old: bytes, new: bytes, message: str, scene: SplatScene, tmp_path: Path
) -> None:
    write_splats(tmp_path / "desk.ply", scene)
    edit_header(tmp_path / "desk.ply", old, new)
    with pytest.raises(ValueError, match=rf"SplatScene\('desk.ply'\): .*{message}"):
        read_splats(tmp_path / "desk.ply")


def test_ten_million_gaussians_on_a_small_machine_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:        4000000 kB\nMemAvailable:    2000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    names = ["x", "y", "z", *(f"f_dc_{i}" for i in range(3)), *(f"f_rest_{i}" for i in range(45)), "opacity"]
    names += [*(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 10000000\n"
    header += "".join(f"property float {name}\n" for name in names) + "end_header\n"
    with (tmp_path / "city.ply").open("wb") as stream:
        stream.write(header.encode())
        stream.truncate(len(header) + 10_000_000 * 4 * len(names))  # a sparse file: nothing is on the disk
    message = r"wanted 3.54 GB of memory for 10000000 Gaussians of degree 3, got 2.05 GB free; .*degree 0: 0.84 GB"
    with pytest.raises(ValueError, match=message):
        read_splats(tmp_path / "city.ply")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"scales": np.where(np.arange(len(s))[:, None] == 3, np.float32(1e9), s.scales)}, "scales has"),
        (lambda s: {"means": np.where(np.arange(len(s))[:, None] == 3, np.float32(1e9), s.means)}, "means has"),
        (lambda s: {"sh": s.sh * 1e6}, "spherical harmonics go up to"),
        (lambda s: {"opacities": np.full(len(s), 0.002, np.float32)}, "nothing would be seen"),
    ],
)
def test_what_no_scene_holds_is_refused(change: object, message: str, scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "desk.ply", replace(scene, **change(scene)))  # type: ignore[operator]
    with pytest.raises(ValueError, match=rf"SplatScene\('desk.ply'\): .*{message}"):
        read_splats(tmp_path / "desk.ply")


def test_colours_are_clipped_where_they_are_shown_and_kept_where_they_are_stored(scene: SplatScene) -> None:
    rgb = np.tile(np.float32([0.0, 0.25, 1.0]), (len(scene), 1))
    plain = SplatScene.from_rgb(scene.means, scene.scales, scene.quats_wxyz, scene.opacities, rgb)
    np.testing.assert_allclose(plain.rgb, rgb, atol=1e-6)
    bright = replace(plain, sh=plain.sh * 3)
    assert bright.rgb.max() == 1.0 and bright.rgb.min() == 0.0 and bright.sh.max() > 5.0


def test_scaled_selected_and_joined(scene: SplatScene) -> None:
    metres = scene.scaled(0.5)
    np.testing.assert_allclose(metres.means, scene.means / 2)
    np.testing.assert_allclose(metres.scales, scene.scales / 2)
    few = scene.select(scene.means[:, 0] > 0)
    assert 0 < len(few) < len(scene) and (few.means[:, 0] > 0).all()
    np.testing.assert_array_equal(scene.select([7, 3]).sh, scene.sh[[7, 3]])
    both = SplatScene.concatenate([scene.with_sh_degree(0), scene.with_sh_degree(2)])
    assert len(both) == 2 * len(scene) and both.sh_degree == 2
    assert not both.sh[: len(scene), 1:].any()
