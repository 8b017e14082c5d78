"""The image encoders that a checkpoint of the published model is given, as its publication does not name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.vision.clip import PREFIX
from hearing_hands_ros.vision.encoder import ImageEncoder, load_encoder

KEY = "encoders"
VIEWS = ("global", "local")
HOW = "`hearing-hands model convert --global-encoder SPEC --local-encoder SPEC` puts them there, or an editor"


@dataclass(frozen=True)
class Encoders:
    """One encoder for each view; the same object where both are the same.

    Attributes:
        whole: Of the global view.
        near: Of the local view.
    """

    whole: ImageEncoder
    near: ImageEncoder


def load_encoders(config: Mapping[str, Any], where: str, device: str = "auto") -> Encoders:
    """Load what a checkpoint's config names as `encoders: {global: SPEC, local: SPEC}`.

    Args:
        config: Of the checkpoint: `network` and `encoders`.
        where: It is from, for the message.
        device: 'cpu', 'cuda' or 'auto'.

    Raises:
        ValueError: It names none, or one whose features are of another width than the network's.
        FileNotFoundError: A file of weights is missing.
        ImportError: A library is missing.
    """
    specs: Any = config.get(KEY)
    named = isinstance(specs, Mapping) and set(specs) == set(VIEWS)
    if not named or not all(isinstance(spec, str) for spec in specs.values()):
        wanted = f"{{global: SPEC, local: SPEC}} with SPEC as in '{PREFIX}MODEL:FILE'"
        raise ValueError(f"{where}: {KEY} wanted {wanted}, got {specs!r}; {HOW}")
    try:
        sizes = PublishedConfig.from_mapping(config["network"]).conditioner
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    loaded: dict[str, ImageEncoder] = {}
    for view, width in zip(VIEWS, (sizes.global_dim, sizes.local_dim), strict=True):
        spec = specs[view]
        if spec not in loaded:
            loaded[spec] = load_encoder(spec, device=device)
        if loaded[spec].dim != width:
            raise ValueError(
                f"{where}: {KEY}.{view} wanted features of {width} numbers, as network.conditioner.{view}_dim says, "
                f"got {loaded[spec].dim} of {spec!r}"
            )
    return Encoders(*(loaded[specs[view]] for view in VIEWS))


def settled(spec: str) -> str:
    """The same encoder from any working directory: with the whole path of its file or folder."""
    if spec.startswith(PREFIX):
        model, _, file = spec.removeprefix(PREFIX).partition(":")
        return f"{PREFIX}{model}:{Path(file).expanduser().absolute()}" if file else spec
    return str(Path(spec).expanduser().absolute()) if "/" in spec or spec.startswith(".") else spec
