from __future__ import annotations

import base64
import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from backports import zstd
from made_outputs import in_streams

from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats

GSPLY_4 = (
    "TkdTUAQAAAADAAAAAQwABiAAAAAAAAAAAAAAAAAAAAAkAAAAAAAAABsAAAAAAAAADAAAAAAAAAADAAAAAAAAABIAAAAAAAAACQAAAAAAAAASAAAA"
    "AAAAAAkAAAAAAAAAFQAAAAAAAAAMAAAAAAAAACQAAAAAAAAAGwAAAAAAAAAotS/9IBvZAAAACAAA8P8AIAAABAAAAAAA9P8AMAAAGAAAAgAotS/9"
    "IAMZAACA4R4otS/9IAlJAACAk6aAk6aAk6YotS/9IAlJAABWYXBWYXBWYXAotS/9IAxhAAAAAADAaaWVFgAAILsotS/9IBvZAAAgJy82PkVMVFti"
    "anF5gIePlp6lrLS7wsrR2eA="
)


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


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (8, struct.pack("<I", 2**32 - 1), r"wanted \d+ bytes for 4294967295 Gaussians, got a file that unpacks to"),
        (8, struct.pack("<I", 501), r"bytes for 501 Gaussians, got \d+; the file was cut short"),
        (8, struct.pack("<I", 0), "file has 0 Gaussians"),
        (12, b"\x04", "wanted spherical harmonics of degree 0 to 3"),
        (13, b"\x1f", "1 to 24 fractional bits, got degree 1, 31 bits"),
        (4, b"\x01", "wanted .spz of version 2, 3 or 4, got version 1"),
        (0, b"XXXX", "got another file in gzip"),
    ],
)
def test_spz_headers_that_lie_are_refused(
    at: int, value: bytes, message: str, scene: SplatScene, tmp_path: Path
) -> None:
    write_splats(tmp_path / "desk.spz", scene)
    raw = gzip.decompress((tmp_path / "desk.spz").read_bytes())
    (tmp_path / "desk.spz").write_bytes(gzip.compress(raw[:at] + value + raw[at + len(value) :]))
    with pytest.raises(ValueError, match=rf"SplatScene\('desk.spz'\): .*{message}"):
        read_splats(tmp_path / "desk.spz")


def test_spz_of_version_4_is_that_of_version_3_packed_another_way(scene: SplatScene, tmp_path: Path) -> None:
    for degree in (0, 1):
        write_splats(tmp_path / "a.spz", scene.with_sh_degree(degree))
        (tmp_path / "b.spz").write_bytes(in_streams((tmp_path / "a.spz").read_bytes()))
        a, b = read_splats(tmp_path / "a.spz"), read_splats(tmp_path / "b.spz")
        for name in ("means", "scales", "quats_wxyz", "opacities", "sh"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_spz_of_version_4_by_another_program(tmp_path: Path) -> None:
    """Three Gaussians that gsply 0.4.6 wrote."""
    (tmp_path / "a.spz").write_bytes(base64.b64decode(GSPLY_4))
    got = read_splats(tmp_path / "a.spz")
    np.testing.assert_array_equal(got.means, [[0.5, -1.0, 2.0], [0.25, 0.0, -0.75], [3.0, 1.5, 0.125]])
    np.testing.assert_allclose(got.scales, np.tile([0.01, 0.02, 0.05], (3, 1)), rtol=0.03)
    np.testing.assert_allclose(got.opacities, [0.5, 0.881, 0.119], atol=0.003)
    turns = [[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5], [0.0, -0.6, 0.0, 0.8]]
    np.testing.assert_allclose(got.quats_wxyz, turns, atol=0.002)
    np.testing.assert_allclose(got.sh[:, 0], np.tile([0.0, 0.5, 1.0], (3, 1)), atol=0.014)
    np.testing.assert_allclose(got.sh[:, 1:].ravel(), np.linspace(-0.75, 0.75, 27), atol=0.005)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (4, struct.pack("<I", 5), "wanted .spz of version 2 or 3 in gzip or 4 without, got version 5 without"),
        (8, struct.pack("<I", 2**32 - 1), r"wanted \d+ bytes for 4294967295 Gaussians, got a file that unpacks to"),
        (8, struct.pack("<I", 501), r"wanted a stream of 4509 bytes, got one of 4500; its header lies"),
        (12, b"\x04", "wanted spherical harmonics of degree 0 to 3"),
        (15, b"\x05", r"wanted a table of 6 streams inside the file, got 5 of them, from byte 32"),
        (16, struct.pack("<I", 2**31), r"inside the file, got 6 of them, from byte 2147483648 of \d+"),
        (16, struct.pack("<I", 16), "wanted a table of streams after the header, got one at byte 16"),
        (32, struct.pack("<Q", 2**63), r"wanted \d+ bytes, got \d+; the file was cut short"),
        (32, struct.pack("<Q", 40), "wanted a stream of 4500 bytes, got .*its header lies, or it was cut short"),
        (128, b"XXXX", "got zstd that is broken"),
    ],
)
def test_spz_of_version_4_that_lies_is_refused(
    at: int, value: bytes, message: str, scene: SplatScene, tmp_path: Path
) -> None:
    write_splats(tmp_path / "desk.spz", scene)
    raw = in_streams((tmp_path / "desk.spz").read_bytes())
    (tmp_path / "desk.spz").write_bytes(raw[:at] + value + raw[at + len(value) :])
    with pytest.raises(ValueError, match=rf"SplatScene\('desk.spz'\): .*{message}"):
        read_splats(tmp_path / "desk.spz")


def test_spz_of_version_4_that_was_cut_anywhere_is_refused(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "whole.spz", scene)
    raw = in_streams((tmp_path / "whole.spz").read_bytes())
    for size in (4, 20, 31, 32, 100, 127, 128, len(raw) // 2, len(raw) - 1):
        (tmp_path / "cut.spz").write_bytes(raw[:size])
        with pytest.raises(ValueError, match=r"SplatScene\('cut.spz'\): wanted"):
            read_splats(tmp_path / "cut.spz")


def test_a_zstd_bomb_is_not_unpacked(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "a.spz", scene.with_sh_degree(0))
    raw = in_streams((tmp_path / "a.spz").read_bytes())
    last = struct.unpack_from("<Q", raw, 32 + 4 * 16)[0]
    bomb = zstd.compress(bytes(300 << 20))
    table = raw[: 32 + 4 * 16] + struct.pack("<Q", len(bomb)) + raw[32 + 4 * 16 + 8 : -last]
    (tmp_path / "bomb.spz").write_bytes(table + bomb)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="wanted a stream of 2000 bytes, got more"):
            read_splats(tmp_path / "bomb.spz")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_not_unpacked(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "bomb.spz", scene)
    raw = gzip.decompress((tmp_path / "bomb.spz").read_bytes())
    (tmp_path / "bomb.spz").write_bytes(gzip.compress(raw + bytes(300 << 20), 1))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="wanted a file that ends after 500 Gaussians, got more, its header lies"):
            read_splats(tmp_path / "bomb.spz")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_spz_of_version_2_turns_by_three_bytes(scene: SplatScene, tmp_path: Path) -> None:
    write_splats(tmp_path / "a.spz", scene)
    raw = gzip.decompress((tmp_path / "a.spz").read_bytes())
    n, head = len(scene), 16
    upright = scene.quats_wxyz * np.sign(scene.quats_wxyz[:, :1])  # version 2 keeps x, y, z of the one with positive w
    turns = np.rint((upright[:, 1:] + 1.0) * 127.5).astype(np.uint8).tobytes()
    packed = raw[:4] + struct.pack("<I", 2) + raw[8 : head + 16 * n] + turns + raw[head + 20 * n :]
    (tmp_path / "b.spz").write_bytes(gzip.compress(packed))
    got = read_splats(tmp_path / "b.spz")
    sure = upright[:, 0] > 0.2  # near 0, w is a small difference of large numbers
    np.testing.assert_allclose(got.quats_wxyz[sure], upright[sure], atol=0.04)
    np.testing.assert_array_equal(got.sh, read_splats(tmp_path / "a.spz").sh)
