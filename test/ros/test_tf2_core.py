from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")  # the package beside these modules; they themselves need no ROS

from hearing_hands_ros.ros.tf2_core import TransformTree
from hearing_hands_ros.ros.tf2_exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)

sys.path.insert(0, str(Path(__file__).parent))
from tf2_oracle import Oracle, matrix

SECOND = 1_000_000_000
NO_TURN = (0.0, 0.0, 0.0, 1.0)
QUARTER_Z = (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))


def put(tree, parent, child, stamp_s, translation=(0.0, 0.0, 0.0), rotation=NO_TURN, is_static=False):
    values = (*map(float, translation), *map(float, rotation))
    return tree.insert(parent, child, round(stamp_s * SECOND), values, "test", is_static)


def look(tree, target, source, time_s=0.0):
    stamp, *values = tree.lookup(target, source, round(time_s * SECOND))
    return stamp / SECOND, tuple(values)


def random_tree(rng):
    names = [f"f{i}" for i in range(rng.randint(2, 8))]
    tree, oracle = TransformTree(), Oracle()
    roots = {names[0]} | ({rng.choice(names)} if rng.random() < 0.3 else set())
    for place, child in enumerate(names):
        if child in roots:
            continue
        parent = rng.choice(names[:place]) if rng.random() < 0.7 else names[place - 1]
        is_static = rng.random() < 0.25
        for _ in range(1 if is_static else rng.randint(1, 6)):
            stamp = rng.randint(1, 12) * 250_000_000
            values = np.array([rng.uniform(-3, 3) for _ in range(3)] + [rng.gauss(0, 1) for _ in range(4)])
            if not is_static and stamp in oracle.moving.get(child, {}):
                continue
            assert tree.insert(parent, child, stamp, tuple(values.tolist()), "test", is_static) == ""
            oracle.insert(parent, child, stamp, values, is_static)
    return names, tree, oracle


def ask(tree, *query):
    try:
        stamp, *values = tree.lookup(*query)
    except TransformException as error:
        return type(error).__name__.removesuffix("Exception")
    return stamp, matrix(np.array(values[:3]), np.array(values[3:]))


def test_thousands_of_random_trees_agree_with_brute_force():
    rng = random.Random(20240501)
    outcomes = {}
    for _ in range(3000):
        names, tree, oracle = random_tree(rng)
        for _ in range(6):
            time = 0 if rng.random() < 0.4 else rng.randint(1, 3 * SECOND + 3)
            if rng.random() < 0.4:
                time = rng.randint(1, 12) * 250_000_000
            query = (rng.choice([*names, "unknown"]), rng.choice(names), time)
            got, wanted = ask(tree, *query), oracle.lookup(*query)
            assert tree.can_transform(*query)[0] is not isinstance(got, str)
            if isinstance(wanted, str):
                assert got == wanted, query
                outcomes[wanted] = outcomes.get(wanted, 0) + 1
            else:
                assert not isinstance(got, str), query
                assert got[0] == wanted[0]
                np.testing.assert_allclose(got[1], wanted[1], atol=1e-9)
                outcomes["value"] = outcomes.get("value", 0) + 1
    assert min(outcomes[kind] for kind in ("value", "Lookup", "Connectivity", "Extrapolation")) > 300


def test_full_lookup_is_the_product_of_its_halves():
    rng = random.Random(7)
    compared = 0
    for _ in range(600):
        names, tree, _ = random_tree(rng)
        target, source, fixed = (rng.choice(names) for _ in range(3))
        at_target, at_source = (rng.randint(1, 3 * SECOND) for _ in range(2))
        try:
            stamp, *values = tree.lookup_full(target, at_target, source, at_source, fixed)
        except TransformException:
            assert not tree.can_transform_full(target, at_target, source, at_source, fixed)[0]
            continue
        compared += 1
        product = ask(tree, target, fixed, at_target)[1] @ ask(tree, fixed, source, at_source)[1]
        np.testing.assert_allclose(matrix(np.array(values[:3]), np.array(values[3:])), product, atol=1e-9)
        assert stamp == at_target
    assert compared > 50


def test_halfway_between_two_samples_is_the_mean_and_half_the_turn():
    tree = TransformTree()
    put(tree, "map", "hand", 1, (0, 0, 0))
    put(tree, "map", "hand", 2, (2, 0, 4), QUARTER_Z)
    stamp, values = look(tree, "map", "hand", 1.5)
    assert stamp == 1.5
    assert values == pytest.approx((1, 0, 2, 0, 0, math.sin(math.pi / 8), math.cos(math.pi / 8)))


def test_interpolation_takes_the_shorter_arc():
    tree = TransformTree()
    put(tree, "map", "hand", 1, rotation=(0, 0, math.sin(1.5), math.cos(1.5)))
    put(tree, "map", "hand", 2, rotation=(0, 0, math.sin(1.7), math.cos(1.7)))
    _, values = look(tree, "map", "hand", 1.5)
    assert abs(np.dot(values[3:], (0, 0, math.sin(1.6), math.cos(1.6)))) == pytest.approx(1.0)


def test_an_inverse_lookup_undoes_a_lookup():
    tree = TransformTree()
    put(tree, "map", "hand", 1, (1, 2, 3), QUARTER_Z)
    _, values = look(tree, "hand", "map", 1)
    assert values == pytest.approx((-2, 1, -3, 0, 0, -math.sqrt(0.5), math.sqrt(0.5)))


def test_time_zero_is_the_latest_time_that_all_moving_edges_have():
    tree = TransformTree()
    put(tree, "map", "base", 5, is_static=True)
    for stamp in (1, 2, 3):
        put(tree, "base", "arm", stamp, (stamp, 0, 0))
    for stamp in (1, 2):
        put(tree, "arm", "hand", stamp, (0, stamp, 0))
    assert look(tree, "map", "hand") == (2.0, (2.0, 2.0, 0.0, *NO_TURN))
    assert tree.latest_common_time("hand", "map") == 2 * SECOND


def test_only_static_edges_give_stamp_zero_or_the_time_asked_for():
    tree = TransformTree()
    put(tree, "map", "base", 5, (1, 0, 0), is_static=True)
    assert look(tree, "map", "base")[0] == 0.0
    assert look(tree, "map", "base", 77)[0] == 77.0


def test_a_single_sample_answers_only_its_own_time():
    tree = TransformTree()
    put(tree, "map", "hand", 3)
    assert look(tree, "map", "hand", 3)[0] == 3.0
    for other in (2.999999999, 3.000000001):
        with pytest.raises(ExtrapolationException, match="only time"):
            look(tree, "map", "hand", other)


def test_past_and_future_are_told_apart():
    tree = TransformTree()
    put(tree, "map", "hand", 3)
    put(tree, "map", "hand", 4)
    with pytest.raises(ExtrapolationException, match="into the past"):
        look(tree, "map", "hand", 2)
    with pytest.raises(ExtrapolationException, match="into the future"):
        look(tree, "hand", "map", 5)


def test_frames_that_are_equal_need_not_exist_but_in_a_full_lookup():
    tree = TransformTree()
    assert look(tree, "nowhere", "nowhere", 4) == (4.0, (0.0, 0.0, 0.0, *NO_TURN))
    assert look(tree, "", "") == (0.0, (0.0, 0.0, 0.0, *NO_TURN))
    with pytest.raises(LookupException):
        tree.lookup_full("nowhere", 0, "nowhere", 0, "nowhere")


@pytest.mark.parametrize("name", ["", "/map"])
def test_empty_and_slashed_names_are_invalid_in_queries(name):
    tree = TransformTree()
    put(tree, "map", "hand", 1)
    with pytest.raises(InvalidArgumentException):
        look(tree, name, "hand", 1)
    with pytest.raises(InvalidArgumentException):
        look(tree, "hand", name, 1)
    assert tree.can_transform("hand", name, SECOND)[0] is False


def test_separate_trees_are_a_connectivity_error_unless_a_walk_runs_out_of_data():
    tree = TransformTree()
    put(tree, "a", "b", 1)
    put(tree, "c", "d", 1)
    with pytest.raises(ConnectivityException):
        look(tree, "b", "d", 0)
    with pytest.raises(ConnectivityException):
        look(tree, "b", "d", 1)
    for query in (("b", "d", 2), ("a", "d", 2), ("b", "c", 2)):
        with pytest.raises(ExtrapolationException):
            look(tree, *query)


def test_a_gap_above_the_meeting_frame_does_no_harm():
    tree = TransformTree()
    put(tree, "map", "base", 1)
    for child in ("left", "right"):
        put(tree, "base", child, 5, (1, 0, 0))
    assert look(tree, "left", "right", 5)[1][:3] == (0.0, 0.0, 0.0)
    assert look(tree, "base", "right", 5)[1][:3] == (1.0, 0.0, 0.0)


def test_a_loop_is_a_lookup_error():
    tree = TransformTree()
    put(tree, "a", "b", 1)
    put(tree, "b", "c", 1)
    put(tree, "c", "a", 1)
    put(tree, "x", "y", 1)
    for time in (0, 1):
        with pytest.raises(LookupException, match="loop"):
            look(tree, "y", "b", time)
    assert look(tree, "a", "b", 1)[0] == 1.0


@pytest.mark.parametrize(
    ("parent", "child", "values", "reason"),
    [
        ("a", "a", (0, 0, 0, *NO_TURN), "self"),
        ("/a", "a", (0, 0, 0, *NO_TURN), "self"),
        ("a", "", (0, 0, 0, *NO_TURN), "child"),
        ("/", "b", (0, 0, 0, *NO_TURN), "parent"),
        ("a", "b", (0, math.nan, 0, *NO_TURN), "nan"),
        ("a", "b", (0, 0, 0, 0, 0, math.nan, 1), "nan"),
        ("a", "b", (0, 0, 0, 0, 0, 0, 0), "quaternion"),
        ("a", "b", (0, 0, 0, math.inf, 0, 0, 1), "nan"),
        ("a", "b", (0, 0, 0, 1e-200, 0, 0, 0), "quaternion"),
    ],
)
def test_bad_transforms_are_counted_and_leave_no_frame(parent, child, values, reason):
    tree = TransformTree()
    assert tree.insert(parent, child, 1, tuple(map(float, values)), "test", False) != ""
    assert sum(tree.rejected.values()) == 1
    if reason != "nan":
        assert tree.rejected[reason] == 1
    assert tree.frame_names() == []


def test_quaternions_are_normalised_and_one_leading_slash_is_stripped():
    tree = TransformTree()
    put(tree, "/map", "//hand", 1, rotation=(0, 0, 0, -3))
    assert look(tree, "map", "map")[0] == 0.0
    assert tree.frame_names() == ["/hand", "map"]
    put(tree, "/map", "/palm", 1, rotation=(0, 0, -2, -2))
    assert look(tree, "map", "palm", 1)[1][3:] == pytest.approx(QUARTER_Z)


def test_late_samples_are_sorted_in_and_too_late_ones_rejected():
    tree = TransformTree()
    for stamp in (20, 22, 21, 12):
        assert put(tree, "map", "hand", stamp, (stamp, 0, 0)) == ""
    assert put(tree, "map", "hand", 11.999999999) == "old"
    assert tree.rejected["old"] == 1
    assert look(tree, "map", "hand", 21.5)[1][0] == pytest.approx(21.5)
    assert look(tree, "map", "hand", 16)[1][0] == pytest.approx(16)


def test_old_samples_are_pruned_at_the_insert_after():
    tree = TransformTree()
    put(tree, "map", "hand", 1)
    put(tree, "map", "hand", 100)
    assert look(tree, "map", "hand", 1)[0] == 1.0
    put(tree, "map", "hand", 101)
    with pytest.raises(ExtrapolationException):
        look(tree, "map", "hand", 1)


def test_long_streams_keep_ten_seconds():
    tree = TransformTree()
    for index in range(30_000):
        put(tree, "map", "hand", 1 + index / 1000, (index, 0, 0))
    assert look(tree, "map", "hand", 21.0005)[1][0] == pytest.approx(20_000.5)
    with pytest.raises(ExtrapolationException):
        look(tree, "map", "hand", 20.5)


def test_exact_duplicates_are_dropped_and_other_samples_of_that_time_win():
    tree = TransformTree()
    for _ in range(3):
        put(tree, "map", "hand", 1, (1, 0, 0))
    with pytest.raises(ExtrapolationException, match="only time"):
        look(tree, "map", "hand", 2)
    put(tree, "map", "hand", 1, (2, 0, 0))
    assert look(tree, "map", "hand", 1)[1][0] == 2.0
    put(tree, "map", "hand", 2, (3, 0, 0))
    # At the earliest time the first of that time answers, as in tf2.
    assert look(tree, "map", "hand", 1)[1][0] == 1.0
    assert look(tree, "map", "hand", 1.5)[1][0] == pytest.approx(2.5)


def test_between_two_parents_the_older_sample_holds():
    tree = TransformTree()
    put(tree, "map", "table", 1, is_static=True)
    put(tree, "map", "cup", 1, (1, 0, 0))
    put(tree, "table", "cup", 2, (5, 0, 0))
    assert look(tree, "map", "cup", 1.9)[1][0] == 1.0
    assert look(tree, "map", "cup", 2)[1][0] == 5.0


def test_an_edge_that_changes_kind_starts_anew():
    tree = TransformTree()
    put(tree, "map", "hand", 1)
    put(tree, "map", "hand", 2, (7, 0, 0), is_static=True)
    assert look(tree, "map", "hand", 50)[1][0] == 7.0
    put(tree, "map", "hand", 3)
    with pytest.raises(ExtrapolationException):
        look(tree, "map", "hand", 50)


def test_clear_forgets_moving_edges_and_keeps_static_ones_and_names():
    tree = TransformTree()
    put(tree, "map", "base", 1, (1, 0, 0), is_static=True)
    put(tree, "base", "hand", 1)
    tree.clear()
    assert look(tree, "map", "base", 9)[1][0] == 1.0
    with pytest.raises(ExtrapolationException):
        look(tree, "base", "hand", 1)
    with pytest.raises(ConnectivityException):
        look(tree, "base", "hand")
    assert put(tree, "base", "hand", 0.5) == ""


def test_texts_name_every_frame_with_data():
    tree = TransformTree()
    assert tree.as_yaml() == "[]"
    put(tree, "map", "hand", 1)
    put(tree, "map", "hand", 2)
    assert tree.as_string() == "Frame hand exists with parent map.\n"
    for line in ("hand: ", "  parent: 'map'", "  broadcaster: 'test'", "  rate: 2.000", "  buffer_length: 1.000"):
        assert line in tree.as_yaml().splitlines()
