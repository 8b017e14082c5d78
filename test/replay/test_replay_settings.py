"""A replay is told what the nodes would be told."""

from pathlib import Path

import pytest

from hearing_hands_ros.graph import Options, predict_graph
from hearing_hands_ros.replay.settings import parameters_of, settings_of

ROOT = Path(__file__).parents[2]


def specs(folder, text, **options):
    file = folder / "params.yaml"
    file.write_text(text)
    return predict_graph(Options(params_file=str(file), microphone="topic:/audio", **options), ROOT)


def settings(folder, text, **options):
    return settings_of(specs(folder, text, **options))


def test_what_nobody_says_is_the_default_of_the_nodes(tmp_path):
    found = settings(tmp_path, "")
    assert found.hands.frames_of_hand().keys() == {1}
    assert (found.lead_s, found.tail_s, found.alpha) == (0.1, 1.2, 0.05)
    assert found.sound.topic == "/audio"
    assert found.comparator.microphone_lag_s == 0.0
    assert (found.calibration, found.listener, found.anomalies, found.run_length) == ("", "", "", 1000.0)


@pytest.mark.parametrize(
    "section",
    ["/**/hand_tracker:", "hand_tracker:", "/hand_tracker:", "/**:", "/*:"],
)
def test_a_parameter_file_holds_for_the_nodes_that_it_names(tmp_path, section):
    found = settings(tmp_path, f"{section}\n  ros__parameters: {{touch_m: 0.003, right_end_effector_frame: tool0}}\n")
    assert found.hands.contact.touch_m == 0.003
    assert found.hands.frames_of_hand() == {1: ["tool0"]}


def test_namespaces_may_be_nested_and_others_are_passed_over(tmp_path):
    text = """
left: {sound_comparator: {ros__parameters: {microphone_lag_s: 0.1}}}
right: {sound_comparator: {ros__parameters: {microphone_lag_s: 0.2}}}
"""
    assert settings(tmp_path, text, namespace="left").comparator.microphone_lag_s == 0.1
    assert settings(tmp_path, text).comparator.microphone_lag_s == 0.0


def test_limits_and_times_reach_the_parts_that_use_them(tmp_path):
    text = """
/**:
  ros__parameters: {gap_tolerance_s: 0.02, longest_touch_s: 2, segment_s: 1, tail_s: 2, window_s: 5, slide_m: 0.05}
"""
    found = settings(tmp_path, text)
    assert found.sound.limits.gap_tolerance_s == 0.02
    assert found.hands.contact.longest_s == 2.0
    assert found.hands.contact.slide_m == 0.05
    assert found.hands.tracker.window_s == 5.0
    assert found.comparator.segment_s == 1.0
    assert found.tail_s == 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hand_tracker: {ros__parameters: {touch_m: wide}}", r"/hand_tracker.touch_m wants float, got str 'wide'"),
        ("hand_tracker: {ros__parameters: 3}", "ros__parameters of '/hand_tracker' wanted a mapping, got 3"),
        ("hand_tracker: [", "wanted a parameter file, got"),
    ],
)
def test_a_file_that_the_nodes_would_refuse_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, text)


def test_arguments_win_over_the_file(tmp_path):
    text = f"sound_generator: {{ros__parameters: {{model: {ROOT}/demo/held_out, device: cpu}}}}"
    generator = next(s for s in specs(tmp_path, text, model=str(ROOT / "demo/bank")) if "generator" in s.executable)
    found = parameters_of(generator)
    assert found["model"] == str(ROOT / "demo/bank")
    assert found["device"] == "cpu"
