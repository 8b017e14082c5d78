from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hearing_hands_ros.demo import room
from hearing_hands_ros.demo.room_example import Example, compare, draw, make_example
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.sim3 import Sim3

pytest.importorskip("pycolmap")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Example]:
    out = tmp_path_factory.mktemp("example")
    return out, make_example(out, lambda *_: None, gaussians=50_000, photos=14, robot_images=8)


def test_the_room_is_found_in_the_robots_frame(made) -> None:
    _, example = made
    assert example.truth.scale_percent < 0.5
    assert example.truth.rotation_deg < 0.3
    assert example.truth.scene_mm < 8.0


def test_wrong_poses_of_the_robot_are_left_out_by_name(made) -> None:
    _, example = made
    agree = {observation.name for observation in example.report.inliers}
    assert len(example.wrong) == 2
    assert agree.isdisjoint(example.wrong)
    assert len(agree) >= 5


def test_the_bundle_on_disk_is_registered_and_knows_its_materials(made) -> None:
    out, example = made
    bundle = SceneBundle.load(out / "scene")
    assert bundle.parent_frame == "base_link"
    assert bundle.scale == pytest.approx(example.report.parent_from_splat.scale)
    assert bundle.material_names == room.MATERIALS
    assert bundle.sfm is not None
    assert (bundle.sfm.folder / "descriptors.npz").is_file()


def test_pictures_show_the_scene_as_the_robot_saw_it(made, tmp_path: Path) -> None:
    _, example = made
    paths = draw(example, tmp_path)
    assert [path.name for path in paths] == ["views.png", "top_view.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 10.0


def test_errors_are_measured_where_the_scene_is() -> None:
    scene = room.room_bundle(5000)
    true = room.ROBOT_FROM_SPLAT
    assert compare(true, scene).scene_mm == pytest.approx(0.0, abs=1e-6)
    off = Sim3(1.01 * true.scale, true.rotation_wxyz, true.translation + [0.003, 0.0, 0.0])
    truth = compare(off, scene)
    assert truth.scale_percent == pytest.approx(1.0)
    assert truth.translation_mm == pytest.approx(3.0)
    assert truth.rotation_deg == pytest.approx(0.0, abs=1e-6)
    assert truth.scene_mm > 5.0


def test_without_pycolmap_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*\[scene\]"):
        make_example(tmp_path / "out", lambda *_: None)
    assert not (tmp_path / "out").exists()
