"""Each audio message family, from a process that has it to a microphone that has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio

MODULE = "hearing_hands_ros.nodes.microphone"
TALKER = str(Path(__file__).with_name("families_talker.py"))
INTERFACES = {  # ROS type: folder in test/interfaces
    "audio_common_msgs/msg/AudioData": "audio_common_msgs",
    "audio_common_msgs/msg/AudioDataStamped": "audio_common_msgs",
    "audio_common_msgs/msg/AudioStamped": "audio_common_msgs_portaudio",
    "foxglove_msgs/msg/RawAudio": "foxglove_msgs",
    "audio_utils_msgs/msg/AudioFrame": "audio_utils_msgs",
    "hearing_hands_ros/msg/Audio": None,
}


@pytest.mark.parametrize("kind", INTERFACES)
def test_family_is_heard_sample_by_sample(ros_domain: Any, audio_interfaces: Callable[[str], Path], kind: str) -> None:
    folder = INTERFACES[kind]
    prefix = audio_interfaces(folder) if folder else None
    heard = ros_domain.listen(Audio, "heard/audio")
    state = ros_domain.diagnostics("microphone")
    node = ros_domain.start(MODULE, {"source": "topic", "warn_hold_s": 0.5}, prefix=prefix)
    ros_domain.start(TALKER, arguments=[kind], prefix=prefix)
    messages = heard.wait_for(20)
    state.wait(DiagnosticStatus.OK)
    assert {(m.sample_rate_hz, m.channels, len(m.data)) for m in messages} == {(16_000, 2, 640)}
    tail = messages[5:20]
    wave = np.concatenate([np.asarray(m.data).reshape(-1, 2) for m in tail]) * 32768
    assert np.array_equal(wave[:, 0], wave[:, 1])
    assert set(np.unique(np.diff(wave[:, 0]))) <= {32.0, -999 * 32.0}, "samples are missing or wrong"
    stamps = [m.header.stamp.sec * 1_000_000_000 + m.header.stamp.nanosec for m in tail]
    jitter_ns = 5_000_000 if kind.endswith("/AudioData") else 1_000  # that one sends no time
    assert np.abs(np.diff(stamps) - 20_000_000).max() < jitter_ns
    assert [m.first_sample - tail[0].first_sample for m in tail] == [320 * i for i in range(15)]
    assert ("none sent" in state.values["stamps"]) == kind.endswith("/AudioData")
    assert f"({kind}, {'best effort' if 'foxglove' in kind else 'reliable'})" in node.log


def test_mp3_is_decoded(ros_domain: Any, audio_interfaces: Callable[[str], Path]) -> None:
    prefix = audio_interfaces("audio_common_msgs")
    heard = ros_domain.listen(Audio, "heard/audio")
    state = ros_domain.diagnostics("microphone")
    ros_domain.start(TALKER, arguments=["audio_common_msgs/msg/AudioDataStamped", "mp3"], prefix=prefix)
    ros_domain.start(MODULE, {"source": "topic", "warn_hold_s": 0.5}, prefix=prefix)
    messages = heard.wait_for(40)
    state.wait(DiagnosticStatus.OK)
    wave = np.concatenate([np.asarray(m.data) for m in messages[10:]])
    assert messages[-1].sample_rate_hz == 16_000
    spectrum = np.abs(np.fft.rfft(wave[:8000]))
    assert abs(np.argmax(spectrum) * 2 - 440) <= 4


def test_family_that_is_not_installed_is_named(ros_domain: Any, audio_interfaces: Callable[[str], Path]) -> None:
    state = ros_domain.diagnostics("microphone")
    ros_domain.start(MODULE, {"source": "topic"})
    ros_domain.start(TALKER, arguments=["foxglove_msgs/msg/RawAudio"], prefix=audio_interfaces("foxglove_msgs"))
    status = state.wait(DiagnosticStatus.ERROR, "foxglove_msgs")
    assert "apt install" in status.message
