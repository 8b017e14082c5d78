"""The audio messages that robots have, each to a `Block`. Messages come in as they are; nothing of ROS is imported.

| type | sound | time |
|---|---|---|
| hearing_hands_ros/msg/Audio | float32 | stamp and count |
| audio_common_msgs/msg/AudioData (ros-drivers) | bytes, S16LE or MP3 as AudioInfo on a second topic says | none |
| audio_common_msgs/msg/AudioDataStamped (ros-drivers) | the same | stamp |
| audio_common_msgs/msg/AudioStamped | one of six arrays, named by PortAudio's format number | stamp |
| foxglove_msgs/msg/RawAudio | bytes, pcm-s16 | stamp |
| audio_utils_msgs/msg/AudioFrame | bytes, twelve formats | stamp |

The two `audio_common_msgs` are different packages of the same name; a machine has one of them at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hearing_hands_ros.sound.capture import pcm
from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.mp3 import Mp3Decoder

# PortAudio's numbers: field of AudioData, bits.
PORTAUDIO_FORMATS = {
    1: ("float32_data", 0),
    2: ("int32_data", 32),
    4: ("int24_data", 24),
    8: ("int16_data", 16),
    16: ("int8_data", 8),
    32: ("uint8_data", 8),
}


def stamp_of(time: Any) -> int | None:
    """Return a message's time in ns, None where the sender left it zero."""
    return (time.sec * 1_000_000_000 + time.nanosec) or None


def bytes_of(data: Any) -> Any:
    """Return an uint8[] field as an array, without a copy where it has a buffer."""
    return np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.asarray(data, np.uint8)


def own(message: Any) -> Block:
    """hearing_hands_ros/msg/Audio."""
    return Block(
        np.asarray(message.data, np.float32),
        message.sample_rate_hz,
        message.channels,
        stamp_of(message.header.stamp),
        message.first_sample,
        np.asarray(message.lost, bool) if len(message.lost) else None,
        frame_id=message.header.frame_id,
    )


def portaudio(message: Any) -> Block:
    """audio_common_msgs/msg/AudioStamped."""
    audio = message.audio
    info = audio.info
    # The field of the samples has had two names.
    samples = audio.audio_data if hasattr(audio, "audio_data") else audio.audio
    if info.format not in PORTAUDIO_FORMATS:
        raise ValueError(f"wanted a PortAudio sample format of {sorted(PORTAUDIO_FORMATS)}, got {info.format}")
    field, bits = PORTAUDIO_FORMATS[info.format]
    if not hasattr(samples, field):
        raise ValueError(f"wanted samples in '{field}' (format {info.format}), got a message without that field")
    data = np.asarray(getattr(samples, field))
    wave = pcm.integers(data, bits, signed=field != "uint8_data") if bits else data.astype(np.float32, copy=False)
    return Block(wave, info.rate, info.channels, stamp_of(message.header.stamp), frame_id=message.header.frame_id)


def foxglove(message: Any) -> Block:
    """foxglove_msgs/msg/RawAudio."""
    if message.format != "pcm-s16":
        raise ValueError(f"wanted format 'pcm-s16', got {message.format!r}")
    wave = pcm.decode(bytes_of(message.data), "signed_16")
    return Block(wave, message.sample_rate, message.number_of_channels, stamp_of(message.timestamp))


def audio_frame(message: Any) -> Block:
    """audio_utils_msgs/msg/AudioFrame."""
    wave = pcm.decode(bytes_of(message.data), message.format)
    block = Block(
        wave,
        message.sampling_frequency,
        message.channel_count,
        stamp_of(message.header.stamp),
        frame_id=message.header.frame_id,
    )
    if block.frames != message.frame_sample_count:
        raise ValueError(f"wanted {message.frame_sample_count} samples a channel as it says, got {block.frames}")
    return block


class DescribedBytes:
    """audio_common_msgs/msg/AudioData and AudioDataStamped of ros-drivers, whose AudioInfo comes on a second topic.

    Args:
        sample_rate_hz: Rate of raw samples while no AudioInfo came; 0 for no assumption.
        channels: Channels, likewise.
    """

    def __init__(self, sample_rate_hz: int = 0, channels: int = 0) -> None:
        self._rate, self._channels = sample_rate_hz, channels
        self._coding, self._format = "wave", "S16LE"
        self._mp3 = Mp3Decoder()

    def describe(self, info: Any) -> None:
        """Take an AudioInfo."""
        self._rate, self._channels = int(info.sample_rate), int(info.channels)
        self._coding, self._format = str(info.coding_format).lower(), str(info.sample_format).upper()

    def __call__(self, message: Any) -> Block:
        """Return a message's sound."""
        stamped = hasattr(message, "header")
        data = bytes_of(message.audio.data if stamped else message.data)
        stamp_ns = stamp_of(message.header.stamp) if stamped else None
        frame_id = message.header.frame_id if stamped else ""
        if self._coding == "mp3":
            wave, rate, channels = self._mp3.decode(data.tobytes())
            return Block(wave, rate, channels, stamp_ns, frame_id=frame_id)
        if not self._rate or not self._channels:
            raise ValueError(
                "wanted rate and channels from an AudioInfo message, got none yet; is 'info_topic' right? "
                "(or set 'sample_rate_hz' and 'channels')"
            )
        if self._coding not in ("wave", "wav", "pcm", "raw", "") or self._format not in ("S16LE", ""):
            raise ValueError(f"wanted coding 'wave' with S16LE samples or 'mp3', got {self._coding!r} {self._format!r}")
        return Block(pcm.decode(data, "signed_16"), self._rate, self._channels, stamp_ns, frame_id=frame_id)


# ROS type: decoder. The two that need an AudioInfo have a `DescribedBytes` each.
DECODERS: dict[str, Callable[[Any], Block]] = {
    "hearing_hands_ros/msg/Audio": own,
    "audio_common_msgs/msg/AudioStamped": portaudio,
    "foxglove_msgs/msg/RawAudio": foxglove,
    "audio_utils_msgs/msg/AudioFrame": audio_frame,
}
DESCRIBED = ("audio_common_msgs/msg/AudioData", "audio_common_msgs/msg/AudioDataStamped")
TYPES = (*DECODERS, *DESCRIBED)
MICROPHONE = "heard/audio"  # the topic, relative to a namespace, of the package's own microphone
