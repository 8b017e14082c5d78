"""Similarities compose, invert and are found again from points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3, umeyama

numbers = st.floats(-5.0, 5.0)
vectors = arrays(np.float64, 3, elements=numbers)


@st.composite
def similarities(draw):
    return Sim3(
        float(np.exp(draw(st.floats(-3.0, 3.0)))),
        to_wxyz(Rotation.from_rotvec(draw(vectors))),
        draw(vectors),
    )


@given(similarities(), similarities(), vectors)
def test_a_product_applies_the_right_one_first(a, b, point):
    np.testing.assert_allclose((a @ b).apply(point), a.apply(b.apply(point)), rtol=1e-9, atol=1e-7)


@given(similarities(), vectors)
def test_the_inverse_leads_back(a, point):
    np.testing.assert_allclose(a.inverse().apply(a.apply(point)), point, atol=1e-7)
    np.testing.assert_allclose((a @ a.inverse()).matrix, np.eye(4), atol=1e-7)


@given(similarities(), vectors)
def test_the_matrix_does_the_same(a, point):
    np.testing.assert_allclose((a.matrix @ [*point, 1.0])[:3], a.apply(point), atol=1e-7)
    again = Sim3.from_matrix(a.matrix)
    assert again.scale == pytest.approx(a.scale)
    np.testing.assert_allclose(again.matrix, a.matrix, atol=1e-7)


@settings(max_examples=50)
@given(similarities(), st.integers(3, 30), st.integers(0, 10_000))
def test_umeyama_finds_what_moved_the_points(true, count, seed):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    found = umeyama(points, true.apply(points))
    assert found.scale == pytest.approx(true.scale, rel=1e-6)
    np.testing.assert_allclose(found.matrix, true.matrix, atol=1e-5 * max(1.0, true.scale))


def test_points_of_one_plane_are_enough_and_are_not_mirrored():
    points = np.random.default_rng(0).normal(size=(8, 3)) * [1.0, 1.0, 0.0]
    true = Sim3(2.0, to_wxyz(Rotation.from_euler("xyz", [0.3, -1.0, 2.0])), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(umeyama(points, true.apply(points)).matrix, true.matrix, atol=1e-9)


def test_mirrored_points_still_give_a_rotation():
    points = np.random.default_rng(0).normal(size=(8, 3))
    found = umeyama(points, points * [-1.0, 1.0, 1.0])
    assert np.linalg.det(found.matrix[:3, :3]) > 0.0


def test_weights_decide_whom_to_believe_and_scale_can_be_held():
    points = np.random.default_rng(0).normal(size=(6, 3))
    target = 2.0 * points
    target[0] += 10.0
    weights = np.ones(6)
    weights[0] = 0.0
    assert umeyama(points, target, weights).scale == pytest.approx(2.0)
    assert umeyama(points, target).scale != pytest.approx(2.0, rel=0.1)
    assert umeyama(points, 2.0 * points, with_scale=False).scale == 1.0


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((2, 3)),
        np.zeros((5, 3)),
        np.outer(np.arange(5), [1.0, 2.0, 3.0]),
        np.full((4, 3), np.nan),
        np.zeros((4, 2)),
    ],
    ids=["too few", "one place", "one line", "nan", "flat"],
)
def test_points_that_fix_nothing_are_refused(points):
    with pytest.raises(ValueError, match="umeyama: wanted"):
        umeyama(points, points)


@pytest.mark.parametrize(
    "change",
    [{"scale": 0.0}, {"scale": -1.0}, {"scale": np.nan}, {"rotation_wxyz": np.ones(4)}, {"translation": [0, np.inf, 0]},
     {"translation": [0, 0]}],
)  # fmt: skip
def test_nonsense_is_no_similarity(change):
    values = {"scale": 1.0, "rotation_wxyz": [1.0, 0, 0, 0], "translation": [0.0, 0, 0], **change}
    with pytest.raises(ValueError, match="Sim3: wanted"):
        Sim3(**values)


@pytest.mark.parametrize(
    "matrix", [np.diag([1.0, 1, -1, 1]), np.diag([1.0, 1, 2, 1]), np.diag([1.0, 1, 1, 2]), np.eye(3)]
)
def test_a_mirror_a_stretch_and_a_projection_are_no_similarity(matrix):
    with pytest.raises(ValueError, match="Sim3: wanted"):
        Sim3.from_matrix(matrix)
