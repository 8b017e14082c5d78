"""The scorer that ships with the package."""

from __future__ import annotations

from pathlib import Path

from hearing_hands_ros.compare.scoring.scorer import Scorer
from hearing_hands_ros.graph import share_directory


def load_scorer(listener: str = "", anomalies: str = "") -> Scorer:
    """Load a scorer; what is empty ships with the package.

    Args:
        listener: Folder of the network that names materials.
        anomalies: File that says how scores are weighed.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: It is something else.
    """
    folder = Path(listener).expanduser() if listener else share_directory() / "models" / "listener"
    file = Path(anomalies).expanduser() if anomalies else share_directory() / "config" / "anomalies.yaml"
    return Scorer.load(folder, file)
