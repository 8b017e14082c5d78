"""Leaves out the messages of TF that no frame of the hands asks for: of 1 kHz, one in seventeen is decoded.

Hands are looked up at the frames of a grid, and a look-up needs the samples next to it: of all messages of a publisher
between two frames, the first and the last. What is looked up is the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hearing_hands_ros.motion.window import frame_stamp_ns, last_frame_before
from hearing_hands_ros.replay.tf_layout import TfLayout, layout_of

MOST: Final = 16
"""Publishers whose messages are of one length; more are not told apart."""


@dataclass(eq=False)
class _Stream:
    """Messages of one publisher.

    Attributes:
        layout: Of its messages.
        interval: The newest frame of the grid that its messages have reached.
        stamp_ns: Of the newest message.
        on_frame: That was given on and stands on the frame itself: the next one is wanted too.
        held: That message, if it was not given on yet.
    """

    layout: TfLayout
    interval: int = -1
    stamp_ns: int = -1
    on_frame: bool = False
    held: bytes | None = None


class TfThinning:
    """Takes the messages of /tf one after the other.

    Args:
        rate_hz: Of the grid of frames.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._streams: dict[int, list[_Stream]] = {}  # by length of their messages

    def kept(self, raw: bytes) -> list[bytes]:
        """Messages that are to be decoded now, which may be earlier ones; what cannot be told is among them."""
        streams = self._streams.setdefault(len(raw), [])
        stream = next((s for s in streams if s.layout.is_of(raw)), None)
        if stream is None:
            layout = layout_of(raw)
            if layout is None:
                return [raw]
            stream = _Stream(layout)
            if len(streams) < MOST:
                streams.append(stream)
        stamp_ns = stream.layout.stamp_ns(raw)
        if stamp_ns is None:
            return [*self._given(stream), raw]
        interval = last_frame_before(stamp_ns, self._rate_hz)
        if interval == stream.interval and stamp_ns >= stream.stamp_ns and not stream.on_frame:
            stream.stamp_ns, stream.held = stamp_ns, raw
            return []
        if interval < stream.interval or stamp_ns < stream.stamp_ns:
            return [*self._given(stream), raw]
        # Another publisher may have the last word on the same frames.
        held = [kept for others in self._streams.values() for other in others for kept in self._given(other)]
        stream.interval, stream.stamp_ns = interval, stamp_ns
        stream.on_frame = stamp_ns == frame_stamp_ns(interval, self._rate_hz)
        return [*held, raw]

    @staticmethod
    def _given(stream: _Stream) -> list[bytes]:
        held, stream.held = stream.held, None
        return [] if held is None else [held]
