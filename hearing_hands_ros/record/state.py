"""How a recording goes, for people."""

from __future__ import annotations

from dataclasses import dataclass, field

MEGABYTE = 1e6


@dataclass(frozen=True)
class TopicState:
    """Of one topic: messages that were written, those that were not, those that never came, and how many a second."""

    messages: int
    dropped: int
    lost: int
    rate_hz: float

    def __str__(self) -> str:
        faults = [f"{self.dropped} dropped"] * bool(self.dropped) + [f"{self.lost} lost on the way"] * bool(self.lost)
        return ", ".join([f"{self.messages} messages", self.rate, *faults])

    @property
    def rate(self) -> str:
        """For people."""
        return f"{self.rate_hz:.0f}/s" if self.rate_hz >= 10.0 else f"{self.rate_hz:.1f}/s"


@dataclass(frozen=True)
class RecordingState:
    """A recording at a moment.

    Attributes:
        path: The bag.
        seconds: Since it began.
        file_bytes: On the disk.
        topics: By name.
        lacks: What is missing in it.
        fault: Why nothing can be written; empty if it can.
        full_in_s: When the disk will be full at this rate.
    """

    path: str
    seconds: float
    file_bytes: int
    topics: dict[str, TopicState] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    fault: str = ""
    full_in_s: float = float("inf")

    @property
    def dropped(self) -> int:
        """Messages that were not written for want of time or room."""
        return sum(topic.dropped for topic in self.topics.values())

    @property
    def lost(self) -> int:
        """Messages that the middleware lost on the way."""
        return sum(topic.lost for topic in self.topics.values())

    @property
    def errors(self) -> list[str]:
        """What takes from the recording now or already has."""
        errors = []
        if self.fault:
            errors.append(f"cannot write to '{self.path}': {self.fault}")
        if self.dropped:
            errors.append(f"{self.dropped} messages dropped: the disk or this machine is too slow, or full")
        return errors

    @property
    def warnings(self) -> list[str]:
        """What should be looked after."""
        warnings = []
        if self.full_in_s < 300.0:
            warnings.append(f"the disk is full in about {self.full_in_s:.0f} s")
        if self.lost:
            warnings.append(f"{self.lost} messages lost on the way to the recorder")
        return [*warnings, *self.lacks]

    def progress(self) -> str:
        """Length, size and rates."""
        minutes, seconds = divmod(int(self.seconds), 60)
        rates = [f"{name} {topic.rate}" for name, topic in self.topics.items()]
        return f"{minutes}:{seconds:02d}  {self.file_bytes / MEGABYTE:.1f} MB  {', '.join(rates) or 'nothing yet'}"
