"""Publishes a known ramp in one of the audio message families; a process of its own, because two of them share a name.

Usage: families_talker.py TYPE [mp3] --ros-args ...   Sample k is ((k % 1000) - 500) * 32, 16 kHz, 2 channels.
"""

from __future__ import annotations

import array
import importlib
import io
import sys
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time

RATE, CHANNELS, FRAMES = 16_000, 2, 320


def ramp(first: int) -> np.ndarray:
    """(FRAMES * CHANNELS,) int16."""
    return np.repeat((((first + np.arange(FRAMES)) % 1000) - 500) * 32, CHANNELS).astype("<i2")


def fill(message: Any, kind: str, wave: np.ndarray, stamp: Any) -> None:
    raw = array.array("B", wave.tobytes())
    if kind == "hearing_hands_ros/msg/Audio":
        message.header.stamp, message.sample_rate_hz, message.channels = stamp, RATE, CHANNELS
        message.data = array.array("f", (wave / np.float32(32768)).astype(np.float32).tobytes())
    elif kind == "audio_common_msgs/msg/AudioData":
        message.data = raw
    elif kind == "audio_common_msgs/msg/AudioDataStamped":
        message.header.stamp, message.audio.data = stamp, raw
    elif kind == "audio_common_msgs/msg/AudioStamped":
        message.header.stamp = stamp
        message.audio.audio_data.int16_data = array.array("h", wave.tobytes())
        message.audio.info.format, message.audio.info.channels = 8, CHANNELS
        message.audio.info.rate, message.audio.info.chunk = RATE, FRAMES
    elif kind == "foxglove_msgs/msg/RawAudio":
        message.timestamp, message.data, message.format = stamp, raw, "pcm-s16"
        message.sample_rate, message.number_of_channels = RATE, CHANNELS
    else:
        message.header.stamp, message.format, message.data = stamp, "signed_16", raw
        message.channel_count, message.sampling_frequency, message.frame_sample_count = CHANNELS, RATE, FRAMES


def mp3_frames() -> list[bytes]:
    """A second of a tone at 16 kHz, mono, in pieces of one MPEG-2 frame (576 samples) each."""
    import soundfile

    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    file = io.BytesIO()
    soundfile.write(file, tone, RATE, format="MP3", subtype="MPEG_LAYER_III")
    data, frames, at = file.getvalue(), [], 0
    kilobits = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    while at + 4 <= len(data):
        size = 72 * kilobits[data[at + 2] >> 4] * 1000 // RATE + ((data[at + 2] >> 1) & 1)
        frames.append(data[at : at + size])
        at += size
    return frames


def main() -> None:
    kind, mp3 = sys.argv[1], "mp3" in sys.argv[2:3]
    rclpy.init()
    node = rclpy.create_node("talker")
    package, _, name = kind.split("/")
    message_class = getattr(importlib.import_module(f"{package}.msg"), name)
    qos = QoSProfile(depth=10)
    if package == "foxglove_msgs":  # one family offers what sensors usually offer
        qos.reliability = ReliabilityPolicy.BEST_EFFORT
    publisher = node.create_publisher(message_class, "audio", qos)
    infos = None
    if name in ("AudioData", "AudioDataStamped"):
        info_class = importlib.import_module(f"{package}.msg").AudioInfo
        infos = node.create_publisher(info_class, "audio_info", 1)
        info = info_class(channels=CHANNELS, sample_rate=RATE, sample_format="S16LE", coding_format="WAVE")
        info.coding_format = "mp3" if mp3 else "wave"
    frames = mp3_frames() if mp3 else []
    length_s = 0.036 if mp3 else FRAMES / RATE
    start_s = time.time()
    for block in range(100_000):
        time.sleep(max(0.0, start_s + (block + 1) * length_s - time.time()))
        message = message_class()
        stamp = Time(nanoseconds=round((start_s + block * length_s) * 1e9)).to_msg()
        if mp3:
            message.header.stamp, message.audio.data = stamp, array.array("B", frames[block % len(frames)])
        else:
            fill(message, kind, ramp(block * FRAMES), stamp)
        if kind == "hearing_hands_ros/msg/Audio":
            message.first_sample = block * FRAMES
        if infos is not None and block % 10 == 0:
            infos.publish(info)
        publisher.publish(message)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        rclpy.try_shutdown()
