"""Which topics of a running graph belong into a recording."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hearing_hands_ros.ros.camera_messages import CAMERA_INFO, IMAGES
from hearing_hands_ros.sound.capture.families import MICROPHONE, TYPES

TRANSFORMS = ("/tf", "/tf_static")
OWN = ("hands", "contacts", "predicted", "comparison", "scene/registration")
DIAGNOSTICS = "/diagnostics"
DERIVED = ("predicted/", "comparison/picture", "spectrogram/image")  # can be made again of what is recorded
AUDIO_INFO = "audio_common_msgs/msg/AudioInfo"
OTHER_CODINGS = ("/compressedDepth", "/theora", "/zstd", "/ffmpeg")  # of an image that is there as it is


@dataclass(frozen=True)
class TopicChoice:
    """What is wanted.

    Attributes:
        namespace: Of our own nodes, with slashes around it; '/' for none.
        named: Topics that are wanted whatever they are.
        audio: The microphone's topic; empty for our own microphone's, or whatever else has sound if that is not there.
        images: Whether images that are found are wanted.
    """

    namespace: str = "/"
    named: tuple[str, ...] = ()
    audio: str = ""
    images: bool = True

    def chosen(self, topics: Mapping[str, str], kept: Collection[str] = ()) -> list[str]:
        """Topics to record, sorted.

        Args:
            topics: Name and type of all that have a publisher.
            kept: Names of those that are recorded already.
        """
        own = {self.namespace + name for name in OWN}
        wanted = {*self.named, *TRANSFORMS, *own, DIAGNOSTICS, *self._sounds(topics, kept)}
        wanted |= {name for name, kind in topics.items() if kind == AUDIO_INFO}
        if self.images:
            wanted |= self._images(topics)
        return sorted(wanted & set(topics))

    def _is_derived(self, name: str) -> bool:
        return any(name.startswith(self.namespace + start) for start in DERIVED)

    def _sounds(self, topics: Mapping[str, str], kept: Collection[str]) -> set[str]:
        """Our own microphone, once it is there; until then all that have sound, which then are kept beside it."""
        if self.audio:
            return {self.audio}
        found = {name for name, kind in topics.items() if kind in TYPES and not self._is_derived(name)}
        begun = found & set(kept)
        own = self.namespace + MICROPHONE
        return {own} | begun if own in found else begun - set(self.named) or found

    def _images(self, topics: Mapping[str, str]) -> set[str]:
        """Each image once: colours compressed where a camera offers that, depth as it is."""
        images = {name for name, kind in topics.items() if kind in IMAGES and not self._is_derived(name)}
        images -= {name for name in images if name.endswith(OTHER_CODINGS)}
        for name in images & {name.removesuffix("/compressed") for name in images if name.endswith("/compressed")}:
            images.discard(f"{name}/compressed" if "depth" in name else name)
        return images | {name for name, kind in topics.items() if kind == CAMERA_INFO}
