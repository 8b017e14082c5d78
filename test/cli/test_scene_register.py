"""`hearing-hands scene register` as typed: files in, scene.yaml out."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.registration.save import save_registration
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

TRUE = Sim3(0.4, to_wxyz(Rotation.from_euler("z", 30, degrees=True)), [1.0, 2.0, 0.5])


@pytest.fixture
def bundle(tmp_path):
    rng = np.random.default_rng(0)
    splats = SplatScene.from_rgb(
        means=rng.uniform(-1, 1, (400, 3)).astype(np.float32),
        scales=np.full((400, 3), 0.02, np.float32),
        quats_wxyz=np.tile(np.float32([1, 0, 0, 0]), (400, 1)),
        opacities=np.full(400, 0.9, np.float32),
        rgb=np.full((400, 3), 0.5, np.float32),
    )
    SceneBundle("desk", splats, "desk_scene", np.array([0.0, 0.0, 1.0])).save(tmp_path / "desk")
    return tmp_path / "desk"


def table(path, noise_m=0.0, wrong=0):
    rng = np.random.default_rng(1)
    rows = ["name,splat_x,splat_y,splat_z,robot_x,robot_y,robot_z"]
    for index, splat in enumerate(rng.uniform(-1, 1, (8, 3))):
        robot = TRUE.apply(splat) + rng.normal(0.0, noise_m, 3) + (0.3 if index < wrong else 0.0)
        rows.append(",".join([f"corner {index}", *(f"{value:.6f}" for value in (*splat, *robot))]))
    path.write_text("\n".join(rows))
    return path


def register(*words):
    command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "scene", "register", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pairs_register_a_scene_and_leave_its_splats_alone(bundle, tmp_path):
    before = {path.name: path.read_bytes() for path in bundle.iterdir() if path.name != "scene.yaml"}
    done = register(bundle, "--pairs", table(tmp_path / "pairs.csv"), "--parent-frame", "arm_base")
    assert done.returncode == 0, done.stderr
    assert "corner 3" in done.stdout
    assert "8 of 8" in done.stdout
    loaded = SceneBundle.load(bundle)
    assert loaded.parent_frame == "arm_base"
    assert loaded.scale == pytest.approx(0.4, rel=1e-4)
    np.testing.assert_allclose(loaded.translation_m, TRUE.translation, atol=1e-4)
    assert loaded.residual_mm < 0.1
    assert {path.name: path.read_bytes() for path in bundle.iterdir() if path.name != "scene.yaml"} == before


def test_a_refused_registration_changes_nothing_and_names_the_worst(bundle, tmp_path):
    before = (bundle / "scene.yaml").read_text()
    done = register(bundle, "--pairs", table(tmp_path / "pairs.csv", noise_m=0.03))
    assert done.returncode == 1
    assert "agree, wanted 60% or more; worst: corner" in done.stdout
    assert (bundle / "scene.yaml").read_text() == before
    wider = register(bundle, "--pairs", tmp_path / "pairs.csv", "--max-residual-mm", "200")
    assert wider.returncode == 0, wider.stdout


def test_a_dry_run_prints_draws_and_writes_nothing(bundle, tmp_path):
    before = (bundle / "scene.yaml").read_text()
    picture = tmp_path / "top.png"
    done = register(bundle, "--pairs", table(tmp_path / "p.csv", wrong=2), "--dry-run", "--picture", picture)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not agree" in done.stdout
    assert "left as it was" in done.stdout
    assert (bundle / "scene.yaml").read_text() == before
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_viewpoints_follow_a_new_scale(bundle, tmp_path):
    document = yaml.safe_load((bundle / "scene.yaml").read_text())
    document["registration"] = {"parent_frame": "world", "scale": 0.8, "rotation_wxyz": [1, 0, 0, 0],
                                "translation_m": [0, 0, 0], "residual_mm": 1.0, "residual_deg": 0.1}  # fmt: skip
    document["viewpoints_m"] = [[1.0, 0.0, 2.0]]
    (bundle / "scene.yaml").write_text(yaml.safe_dump(document))
    assert register(bundle, "--pairs", table(tmp_path / "pairs.csv")).returncode == 0
    np.testing.assert_allclose(SceneBundle.load(bundle).viewpoints_m, [[0.5, 0.0, 1.0]], rtol=1e-4)


@pytest.mark.parametrize(("frame", "fault"), [("desk_scene", "another frame than frame_id"), ("", "wanted a text")])
def test_what_could_not_be_loaded_again_is_not_written(bundle, frame, fault):
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    with pytest.raises(ValueError, match=fault):
        save_registration(bundle, Registration(frame, TRUE, 1.0, 0.1))
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_a_picture_that_cannot_be_written_costs_no_registration(bundle, tmp_path):
    (tmp_path / "top.png").mkdir()
    done = register(bundle, "--pairs", table(tmp_path / "pairs.csv"), "--picture", tmp_path / "top.png")
    assert done.returncode == 2
    assert "--picture: wanted a file that can be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert SceneBundle.load(bundle).scale == pytest.approx(0.4, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pairs", "nowhere.csv", "--parent-frame", "desk_scene"], "--parent-frame: wanted a TF frame"),
        (["--pairs", "nowhere.csv", "--parent-frame", ""], "--parent-frame: wanted a TF frame"),
        (["--pairs", "nowhere.csv", "--parent-frame", "/base"], "without leading '/'"),
        (["--pairs", "nowhere.csv", "--picture", "top.docx"], "--picture: wanted a file that ends in .png or .svg"),
        (["--pairs", "nowhere.csv", "--picture", "nowhere/top.png"], "in a folder that is there"),
        (["--pairs", "nowhere.csv"], "got nothing there"),
        (["--images", "nowhere"], "wanted a folder with poses.yaml"),
        (["--bag", "nowhere"], "found nothing"),
        (["--cloud", "nowhere.ply"], "got nothing there"),
        (["--cloud", "x.npy", "--initial", "present"], "registration is missing"),
        (["--live"], "wanted --image-topic and --camera-info-topic"),
        (["--pairs", "a.csv", "--max-residual-mm", "0"], "residual_mm: wanted more than 0"),
    ],
)
def test_what_is_asked_wrongly_is_said(bundle, words, said):
    done = register(bundle, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
