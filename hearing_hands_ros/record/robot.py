"""What a recorder must know of the robot to say what a recording lacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hearing_hands_ros.graph import DEMO_SCENE, Options, predict_graph, share_directory
from hearing_hands_ros.replay.settings import settings_of
from hearing_hands_ros.scene.document import check_document, read_document, refuse


@dataclass(frozen=True)
class Robot:
    """Read from the parameters with which the graph would run.

    Attributes:
        frames: TF frames of its hands.
        root: TF frame that the scene hangs under; empty without a scene, or if it is not registered.
        notes: What is known to be missing before anything is heard.
    """

    frames: tuple[str, ...]
    root: str
    notes: tuple[str, ...]

    @classmethod
    def load(cls, namespace: str, scene: str, params_file: str) -> Robot:
        """Read scene and parameters.

        Args:
            namespace: Of the nodes.
            scene: Folder of the scene; empty for what the parameters say.
            params_file: Parameters of the graph; empty for none.

        Raises:
            ValueError: One of them is not there or wrong.
            FileNotFoundError: The scene lacks its scene.yaml.
        """
        share = share_directory()
        options = Options(namespace=namespace, scene=scene, params_file=params_file, microphone="topic:/audio")
        settings = settings_of(predict_graph(options, share))
        notes = []
        if not settings.comparator.microphone_lag_s:
            notes.append("the microphone's lag is not calibrated (microphone_lag_s is 0): hearing-hands calibrate lag")
        root = ""
        if scene or Path(settings.scene) != share / DEMO_SCENE:
            root = _parent_frame(Path(settings.scene).expanduser())
            if not root:
                notes.append(f"the scene is not registered: hearing-hands scene register {settings.scene}")
        frames = tuple(frame for hand in settings.hands.frames_of_hand().values() for frame in hand)
        return cls(frames, root, tuple(notes))


def _parent_frame(scene: Path) -> str:
    path, who = scene / "scene.yaml", f"scene '{scene}'"
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted a folder with scene.yaml, got nothing at {path}")
    document = read_document(path, who)
    if faults := check_document(document, registered=False):
        refuse(who, faults)
    registration = document.get("registration")
    return str(registration["parent_frame"]) if registration else ""
