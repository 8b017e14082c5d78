"""Point pairs: what the user measured in the splats and with the robot."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.registration.pairs import PointPair, read_pairs, register_from_pairs
from hearing_hands_ros.scene.registration.report import Limits, RegistrationRefusedError
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

TRUE = Sim3(0.37, to_wxyz(Rotation.from_euler("z", 118, degrees=True)), [0.8, 0.4, -0.3])


def pairs(count=8, noise_mm=0.0, true=TRUE, seed=0):
    rng = np.random.default_rng(seed)
    splat = rng.uniform(-3.0, 3.0, (count, 3))
    robot = true.apply(splat) + rng.normal(0.0, noise_mm * 1e-3, (count, 3))
    return [PointPair(f"p{i}", s, r) for i, (s, r) in enumerate(zip(splat, robot, strict=True))]


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 20.0), st.floats(-180.0, 180.0), st.integers(3, 12), st.integers(0, 1000))
def test_exact_pairs_give_the_exact_answer(scale, yaw, count, seed):
    true = Sim3(scale, to_wxyz(Rotation.from_euler("z", yaw, degrees=True)), [1.0, -2.0, 0.5])
    exact = pairs(count, true=true, seed=seed)
    points = np.array([pair.splat for pair in exact])
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    assume(spread[1] > 0.1 * spread[0])  # points on one line are refused
    report = register_from_pairs(exact)
    assert report.parent_from_splat.scale == pytest.approx(scale, rel=1e-6)
    np.testing.assert_allclose(report.parent_from_splat.translation, true.translation, atol=1e-6)
    assert report.residual_mm < 1e-3


def test_residuals_are_named_and_one_wrong_pair_is_left_out_of_the_fit():
    given_pairs = pairs(9, noise_mm=1.0)
    given_pairs[4] = PointPair("typo", given_pairs[4].splat, given_pairs[4].robot_m + [0.5, 0.0, 0.0])
    report = register_from_pairs(given_pairs)
    assert [o.name for o in report.observations if not o.is_inlier] == ["typo"]
    assert report.worst(Limits())[0].name == "typo"
    assert report.worst(Limits())[0].mm == pytest.approx(500.0, rel=0.02)
    assert report.parent_from_splat.scale == pytest.approx(0.37, rel=5e-3)
    assert 0.1 < report.residual_mm < 3.0
    registration = report.registration("base_link")
    assert (registration.parent_frame, registration.residual_mm) == ("base_link", report.residual_mm)


@pytest.mark.parametrize("off_m", [0.1, 0.5])
def test_of_five_pairs_a_mistyped_one_is_found_or_all_are_refused(off_m):
    refused = 0
    for seed in range(12):
        given_pairs = pairs(5, noise_mm=1.0, seed=seed)
        given_pairs[2] = PointPair("typo", given_pairs[2].splat, given_pairs[2].robot_m + [0.0, off_m, 0.0])
        try:
            report = register_from_pairs(given_pairs)
        except RegistrationRefusedError:
            refused += 1
            continue
        assert [o.name for o in report.observations if not o.is_inlier] == ["typo"]
        assert report.parent_from_splat.scale == pytest.approx(0.37, rel=5e-3)
    assert refused <= 2


def test_a_poor_fit_is_refused_by_the_limit_and_the_worst_are_named():
    with pytest.raises(RegistrationRefusedError, match=r"wanted 10 mm or less; worst: p\d+ \(\d") as refused:
        register_from_pairs(pairs(12, noise_mm=14.0), Limits(inlier_share=0.1))
    assert refused.value.report is not None
    assert register_from_pairs(pairs(12, noise_mm=14.0), Limits(residual_mm=40.0)).residual_mm > 10.0


def test_half_of_them_wrong_is_refused():
    given_pairs = pairs(10)
    rng = np.random.default_rng(1)
    wrong = [PointPair(p.name, p.splat, p.robot_m + rng.normal(0, 0.3, 3)) for p in given_pairs[:5]]
    with pytest.raises(RegistrationRefusedError, match="5 of 10 agree, wanted 60% or more"):
        register_from_pairs([*wrong, *given_pairs[5:]])


@pytest.mark.parametrize("flip", [[-1, 1, 1], [1, 1, -1]])
def test_a_mirrored_side_is_recognised(flip):
    mirrored = [PointPair(p.name, p.splat * flip, p.robot_m) for p in pairs()]
    with pytest.raises(RegistrationRefusedError, match="mirror images"):
        register_from_pairs(mirrored)
    swapped = [PointPair(p.name, p.splat[[1, 0, 2]], p.robot_m) for p in pairs()]
    with pytest.raises(RegistrationRefusedError, match="two that are swapped"):
        register_from_pairs(swapped)


def test_points_on_a_line_and_too_few_points_are_refused():
    line = [PointPair(f"p{i}", np.array([i, 2.0 * i, 0.0]), TRUE.apply([i, 2.0 * i, 0.0])) for i in range(6)]
    with pytest.raises(RegistrationRefusedError, match="on one line"):
        register_from_pairs(line)
    bent = [*line[:5], PointPair("p5", np.array([5.0, 10.001, 0.0]), TRUE.apply([5.0, 10.001, 0.0]))]
    with pytest.raises(RegistrationRefusedError, match="on one line"):
        register_from_pairs(bent)
    for few in (pairs(2), []):
        with pytest.raises(RegistrationRefusedError, match="3 or more point pairs"):
            register_from_pairs(few)


def test_a_scene_that_would_hang_upside_down_is_refused():
    over = Sim3(0.5, to_wxyz(Rotation.from_euler("x", 170, degrees=True)), np.zeros(3))
    with pytest.raises(RegistrationRefusedError, match="got 170 deg: the scene would hang upside down"):
        register_from_pairs(pairs(true=over))
    assert register_from_pairs(pairs(true=over), up=over.rotation.inv().apply([0, 0, 1])).residual_mm < 1.0
    assert register_from_pairs(pairs(true=over), Limits(up_deg=180.0)).residual_mm < 1.0


def test_tables_are_read(tmp_path):
    rows = ["name,splat_x,splat_y,splat_z,robot_x,robot_y,robot_z", "corner,1,2,3,0.1,0.2,0.3", "edge,4,5,6,.4,.5,.6"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    (tmp_path / "a.yaml").write_text(
        "- {name: corner, splat: [1, 2, 3], robot: [0.1, 0.2, 0.3]}\n"
        "- {name: edge, splat: [4, 5, 6], robot: [.4, .5, .6]}\n"
    )
    for name in ("a.csv", "a.yaml"):
        table = read_pairs(tmp_path / name)
        assert [p.name for p in table] == ["corner", "edge"]
        np.testing.assert_array_equal(table[1].splat, [4, 5, 6])
        np.testing.assert_array_equal(table[0].robot_m, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.csv", "name,x,y,z\na,1,2,3\n", "got no splat_x"),
        ("a.csv", "name,splat_x,splat_y,splat_z,robot_x,robot_y,robot_z\na,1,2,3,4,5\n", "wanted 3 . 3 numbers"),
        ("a.csv", "name,splat_x,splat_y,splat_z,robot_x,robot_y,robot_z\na,1,2,3,4,5,nan\n", "finite"),
        (
            "a.csv",
            "name,splat_x,splat_y,splat_z,robot_x,robot_y,robot_z\na,1,2,3,4,5,6\na,1,2,3,4,5,6\n",
            "each name once",
        ),
        ("a.yaml", "{a: 1}", "wanted a list of pairs"),
        ("a.yaml", "- {splat: [1, 2], robot: [1, 2, 3]}", "wanted 3 . 3"),
        ("a.yaml", "- [1]", "pair 0: wanted"),
        ("a.yaml", "- [", "wanted YAML"),
        ("a.txt", "", "ends in .csv or .yaml"),
    ],
)
def test_damaged_tables_are_refused_by_name(tmp_path, name, text, fault):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=fault) as refused:
        read_pairs(tmp_path / name)
    assert name in str(refused.value)
