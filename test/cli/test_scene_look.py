"""`hearing-hands scene look`: the picture that it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_scenes import bundle, grid, splats
from PIL import Image

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.scene.hand_shape import SKIN_RGB
from hearing_hands_ros.scene.robot_shape import STEEL_RGB

GRIPPER = Path(__file__).parents[2] / "demo" / "gripper.urdf"
SIZE = 112


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A green plate."""
    xy = grid((-0.3, -0.3), (0.3, 0.3), 0.01)
    points = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)
    green = np.tile(np.float32([-1.7, 1.7, -1.7]), (len(xy), 1, 1))
    plate = splats(points, np.broadcast_to([0.0, 0.0, 1.0], points.shape), 0.01, sh=green)
    folder = tmp_path_factory.mktemp("look") / "plate"
    bundle(plate).save(folder)
    return folder


def look(scene: Path, out: Path, *words: object) -> int:
    options = map(str, ("--out", out, "--size", SIZE, *words))
    return main(["scene", "look", str(scene), *options])


def shares(path: Path, rgb: tuple[float, float, float]) -> tuple[float, float]:
    """Of the left and the right picture that is of a colour, in whatever light."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float64)
    hue = pixels / np.maximum(pixels.sum(axis=-1, keepdims=True), 1.0)
    dark = pixels.sum(axis=-1) < 2.4 * 255 * np.max(rgb)
    alike = (np.abs(hue - np.array(rgb) / np.sum(rgb)).max(axis=-1) < 0.015) & dark
    half = pixels.shape[1] // 2
    return float(alike[:, :half].mean()), float(alike[:, half:].mean())


def test_a_hand_is_in_both_views(scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(scene, tmp_path / "hand.png", "--point", "1e-2", "-2e-2", "5e-3") == 0
    said = capsys.readouterr().out
    assert "[0.01, -0.02, 0" in said and "material      wood" in said and str(tmp_path / "hand.png") in said
    far, near = shares(tmp_path / "hand.png", SKIN_RGB)
    assert far > 0.002 and near > 0.02


def test_a_gripper_takes_the_place_of_the_hand_and_opens(scene: Path, tmp_path: Path) -> None:
    near = []
    for opening in (0.0, 0.04):
        path = tmp_path / f"{opening}.png"
        words = ("--urdf", GRIPPER, "--joint", f"finger={opening}", "--view", "top", "--point", 0, 0, 0)
        assert look(scene, path, *words) == 0
        assert max(shares(path, SKIN_RGB)) < 0.002
        near.append(shares(path, STEEL_RGB)[1])
    assert min(near) > 0.05 and abs(near[0] - near[1]) > 0.02


def test_a_point_may_be_in_the_robots_frame(scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(scene, tmp_path / "a.png", "--point", 1.1, 2.05, 3.01, "--frame", "parent") == 0
    assert "point         [0.1, 0.05, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--point", 0, 0, 3), "--point: wanted one within 10 cm of a surface, got [0.0, 0.0, 3.0] in scene; most of"),
        (("--point", 0, 0, 0, "--joint", "finger=0.1"), "wanted --urdf with --joint, --link and --tip"),
        (("--point", 0, 0, 0, "--urdf", GRIPPER, "--joint", "finger"), "--joint: wanted NAME=VALUE"),
        (("--point", 0, 0, 0, "--urdf", GRIPPER, "--joint", "finger=1"), "joint 'finger' wanted 0 to 0.04, got 1"),
        (("--point", 0, 0, 0, "--urdf", GRIPPER, "--link", "thumb"), "wanted links ['thumb'], got a URDF with"),
        (("--point", 0, 0, 0, "--view", "front"), "wanted one of ['top', 'side'], got 'front'"),
        (("--point", 0, 0, 0, "--out", "look.docx"), "--out: wanted a file that ends in .png"),
        (("--point", 0, 0, 0, "--out", "/nowhere/look.png"), "--out: wanted a file that can be written"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], message: str
) -> None:
    assert look(scene, tmp_path / "look.png", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "look.png").exists()
