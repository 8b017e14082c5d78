"""A sound file, heard as a microphone would hear it: in real time of the node's clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.clock_map import ClockMap

MOST_BEHIND_S = 1.0


class FileSource:
    """Plays a file from the first reading of the clock on; frame k was captured k / rate later.

    A clock that jumps back starts the file again; one that jumps ahead by more than `MOST_BEHIND_S` skips what a
    microphone would not have heard either.

    Args:
        path: The file; any format of libsndfile.
        block_s: Length of a block, s.
        loop: Start again at the end.
    """

    def __init__(self, path: str, block_s: float, *, loop: bool) -> None:
        self.path, self.block_s, self.loop = Path(path).expanduser(), block_s, loop
        self.trouble = ""
        self.ended = False
        self.stamps = "start of playing plus position in the file"
        self.clock: ClockMap | None = None
        self._file: Any = None
        self._frame = 0  # frames since the start, loops counted
        self._at = self._length = 0  # place in the file and its length; asking libsndfile is dear
        self._start_ns: int | None = None
        self._last_ns = 0

    def open(self) -> None:  # noqa: D102  (as in Source)
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise OSError(f"microphone: source 'file' wants soundfile, got: {error} (pip install soundfile)") from error
        if not self.path.is_file():
            raise OSError(f"microphone: parameter 'file' wants a sound file, found none at '{self.path}'")
        try:
            self._file = soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError as error:
            raise OSError(f"microphone: parameter 'file' wants a sound file, got '{self.path}': {error}") from error
        if self._file.frames <= 0:
            self.close()
            raise OSError(f"microphone: parameter 'file' wants sound, got '{self.path}' with no samples")
        self._length, self._at = int(self._file.frames), 0
        self._start_ns = None
        self.ended = False
        self.trouble = "the clock has not started (use_sim_time without /clock?)"

    def read(self, now_ns: int) -> list[Block]:  # noqa: D102
        if self._file is None or now_ns == 0:
            return []
        if self._start_ns is None or now_ns < self._last_ns:
            self._start_ns, self._frame, self.ended = now_ns, 0, False
            self._seek(0)
        if now_ns > self._last_ns:
            self.trouble = f"'{self.path}' has ended (parameter 'loop' starts it again)" if self.ended else ""
        else:
            self.trouble = "the clock stands still"
        self._last_ns = now_ns
        rate = self._file.samplerate
        due = (now_ns - self._start_ns) * rate // 1_000_000_000
        if due - self._frame > MOST_BEHIND_S * rate:
            self._skip_to(due)
        blocks = []
        size = max(1, round(self.block_s * rate))
        while not self.ended and due - self._frame >= min(size, self._left()):
            blocks.append(self._next(size))
        return blocks

    def close(self) -> None:  # noqa: D102
        if self._file is not None:
            self._file.close()
            self._file = None

    def _left(self) -> int:
        return self._length - self._at

    def _seek(self, frame: int) -> None:
        self._file.seek(frame)
        self._at = frame

    def _skip_to(self, frame: int) -> None:
        self._frame = frame
        if self.loop:
            self._seek(frame % self._length)
        elif frame < self._length:
            self._seek(frame)
        else:
            self.ended = True

    def _next(self, size: int) -> Block:
        stamp_ns = int(self._start_ns or 0) + round(self._frame * 1e9 / self._file.samplerate)
        try:
            wave = self._file.read(min(size, self._left()), dtype="float32", always_2d=True)
        except RuntimeError as error:  # LibsndfileError
            raise OSError(f"microphone: '{self.path}' cannot be read further: {error}") from error
        if not len(wave):
            raise OSError(f"microphone: '{self.path}' is shorter than its header says")
        block = Block(wave.reshape(-1), self._file.samplerate, self._file.channels, stamp_ns, self._frame)
        self._frame += len(wave)
        self._at += len(wave)
        if self._left() == 0:
            if self.loop:
                self._seek(0)
            else:
                self.ended = True
        return block
