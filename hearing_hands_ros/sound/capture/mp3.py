"""A stream of MP3 frames to samples, with soundfile."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

# kbit/s of MPEG-1 and of MPEG-2 and 2.5, layer III; Hz of MPEG-1, 2, 2.5.
BIT_RATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SAMPLE_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
# A frame may use bits of the 511 bytes before it, and overlaps the frame before it.
CONTEXT_BYTES, CONTEXT_FRAMES = 1024, 3


def frame_size(header: bytes) -> tuple[int, int] | None:
    """Return bytes and samples a channel of the frame that begins with these four bytes; None if none does.

    Source: ISO/IEC 11172-3 and 13818-3, layer III.
    """
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, bit_rate, sample_rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bit_rate in (0, 15) or sample_rate == 3:
        return None
    first = version == 3
    samples = 1152 if first else 576
    rate_hz = SAMPLE_RATES[version][sample_rate]
    return samples * BIT_RATES[first][bit_rate] * 125 // rate_hz + (header[2] >> 1 & 1), samples


def split_frames(data: bytes) -> tuple[list[tuple[bytes, int]], bytes]:
    """Return the whole frames in `data` with their samples a channel, and what is left of a frame at its end."""
    frames, at = [], 0
    while at + 4 <= len(data):
        found = frame_size(data[at : at + 4])
        if found is None:  # a tag, or the end of a frame whose beginning was lost: on to the next one
            at += 1
            continue
        if at + found[0] > len(data):
            break
        frame = data[at : at + found[0]]
        # The first frame of a file holds a table instead of sound.
        if b"Xing" not in frame[:48] and b"Info" not in frame[:48]:
            frames.append((frame, found[1]))
        at += found[0]
    return frames, data[at:]


def counted(frames: list[bytes]) -> bytes:
    """Return frames as a file that says how many they are; otherwise libsndfile guesses, and reads too few.

    The count is where encoders write it: in a first frame without sound, behind its empty side information.
    """
    first = frames[0][:4]
    head = bytes(
        [first[0], first[1] | 1, 0x90 | first[2] & 0x0C, first[3]]
    )  # no checksum; 128 or 80 kbit/s, no padding
    size, samples = frame_size(head) or (0, 0)
    mono = first[3] >> 6 == 3
    side = (17 if mono else 32) if samples == 1152 else (9 if mono else 17)
    table = head + bytes(side) + b"Xing" + (1).to_bytes(4, "big") + len(frames).to_bytes(4, "big")
    return table.ljust(size, b"\0") + b"".join(frames)


class Mp3Decoder:
    """Decodes the frames of each message together with a few before them, and keeps what is new.

    MP3 frames cannot be decoded one by one, and libsndfile cannot decode a file that still grows. Messages need not
    begin where frames do.
    """

    def __init__(self) -> None:
        self._before: list[bytes] = []
        self._rest = b""

    def decode(self, data: bytes) -> tuple[NDArray[np.float32], int, int]:
        """Return the samples that `data` adds, (frames * channels,) interleaved, with sample rate and channels.

        Raises:
            ValueError: soundfile or its libsndfile cannot do MP3, or this is none, or not yet enough to begin with.
        """
        frames, self._rest = split_frames(self._rest + data)
        self._rest = self._rest[-CONTEXT_BYTES * 2 :]
        stream = self._before + [frame for frame, _ in frames]
        self._before = stream[-CONTEXT_FRAMES:]
        while len(self._before) < len(stream) and sum(map(len, self._before)) < CONTEXT_BYTES:
            self._before.insert(0, stream[-len(self._before) - 1])
        if not frames or len(stream) < 2:  # libsndfile takes no stream of a single frame
            raise ValueError(f"wanted two MP3 frames to begin with, got {len(stream)} in {len(data)} bytes")
        wave, rate = self._read(counted(stream))
        new = sum(samples for _, samples in frames)
        if len(wave) < new:  # frames that lean on sound before the stream are not decoded
            wave = np.concatenate([np.zeros((new - len(wave), wave.shape[1]), np.float32), wave])
        return wave[-new:].reshape(-1), rate, wave.shape[1]

    @staticmethod
    def _read(data: bytes) -> tuple[NDArray[np.float32], int]:
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise ValueError(f"MP3 wants soundfile >= 0.12, got: {error} (pip install soundfile)") from error
        if "MP3" not in soundfile.available_formats():
            raise ValueError(
                f"MP3 wants libsndfile >= 1.1, got {soundfile.__libsndfile_version__}; "
                "pip install 'soundfile>=0.12' brings one, or let the sender use the 'wave' format"
            )
        try:
            wave, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise ValueError(f"wanted MP3, got {len(data)} bytes that libsndfile refuses: {error}") from error
        return wave, int(rate)
