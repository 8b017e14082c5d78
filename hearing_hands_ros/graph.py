"""Which nodes run, with which parameters: the one description that the launch files and `hearing-hands up` share.

Plain Python, no ROS: options go in, `NodeSpec`s come out.

The rule for parameters, lowest first: the package's `config/<node>.yaml`; the shipped model and the demo's scene, so
that the graph starts without any argument; the user's `params_file`; arguments that were given. An empty text
is "not given".
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

PACKAGE = "hearing_hands_ros"
RESPAWN_DELAY_S = 2.0

DEMO_SCENE = "demo/scene"
MODEL = "models/compact"
DEMO_CALIBRATION = "demo/calibration.yaml"
DEMO_BAG = "demo/touches.mcap"
DEMO_PARAMETERS = "demo/params.yaml"
DEMO_SOUND_TOPIC = "/microphone/audio"

LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
TRUE, FALSE = ("true", "True"), ("false", "False")

Value = bool | int | float | str | list[str]
Layer = Path | Mapping[str, Value]


def argument(default: bool | float | str, description: str, choices: tuple[str, ...] = ()) -> Any:
    """Return a dataclass field that is an argument of the launch files and of `hearing-hands up`."""
    return field(default=default, metadata={"description": description, "choices": choices})


@dataclass(frozen=True)
class Options:
    """What a user can ask for; every field is one argument.

    Raises:
        ValueError: `Options.from_text` got a text that is no choice, no number or names no argument.
    """

    namespace: str = argument("", "Namespace of all nodes and of their relative topics; empty: none.")
    use_sim_time: bool = argument(False, "Take the time from /clock.")
    params_file: str = argument("", "YAML file with parameters that replace the package's defaults; empty: none.")
    scene: str = argument("", "Folder of the scene; empty: what params_file says, else the demo's scene.")
    model: str = argument(
        "", "Folder of the checkpoint or sound bank that predicts; empty: what params_file says, else the shipped one."
    )
    calibration: str = argument(
        "",
        "Scores of normal touches that heard ones are compared with (`hearing-hands calibrate normal`); empty: what "
        "params_file says, else none, and every verdict is UNKNOWN.",
    )
    device: str = argument(
        "", "Where the model computes; empty: what params_file says, else auto.", ("", "auto", "cuda", "cpu")
    )
    views: str = argument(
        "",
        "How a checkpoint sees what is touched: rendered without the hand, rendered with it, looked up in features "
        "that were baked, or looked up where that is safe; empty: what params_file says, else bare.",
        ("", "bare", "exact", "baked", "auto"),
    )
    microphone: str = argument(
        "",
        "What is listened to: 'device' (the sound card), 'topic:/name', or the path of a sound file; starts "
        "microphone, sound_comparator and spectrogram_viewer. 'none' or empty: nothing.",
    )
    autostart: bool = argument(True, "Nodes configure and activate by themselves.")
    use_respawn: bool = argument(False, f"Start a node again {RESPAWN_DELAY_S:g} s after it ended.")
    log_level: str = argument("info", "Least severe log message that is shown.", LOG_LEVELS)
    demo: bool = argument(
        False, "Play the demo recording through the graph: its scene, model and sound, simulated time; ends with it."
    )
    bag: str = argument("", "Recording to play: a rosbag2 folder, an .mcap or a .db3 file; empty: the demo's.")
    rate: float = argument(1.0, "Speed of playing; 2.0 is twice as fast.")
    start_s: float = argument(0.0, "Where in the recording to begin, s.")
    loop: bool = argument(False, "Begin again at the recording's end.")
    graph: bool = argument(True, "Also start the nodes of predict.launch.py; false: play only.")
    out: str = argument("", "Folder of the bag to record, which must not be there; empty: recording_ and the time.")
    topics: str = argument("", "Topics to record beside those that are found, with spaces between them.")
    audio_topic: str = argument("", "The microphone's topic; empty: heard/audio, or without one what else has sound.")
    images: str = argument("found", "Camera images to record: all, at least one, none.", ("found", "required", "none"))

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all arguments."""
        return [item.name for item in fields(cls)]

    @classmethod
    def from_text(cls, texts: Mapping[str, str]) -> Options:
        """Read arguments as they come from a command line; a missing one keeps its default."""
        known = {item.name: item for item in fields(cls)}
        unknown = sorted(set(texts) - set(known))
        if unknown:
            raise ValueError(f"Options: wanted arguments out of {sorted(known)}, got {unknown}")
        values: dict[str, Any] = {name: _value(known[name], text) for name, text in texts.items()}
        return cls(**values)


NODES = (
    "scene_server", "hand_tracker", "sound_generator", "microphone", "sound_comparator", "spectrogram_viewer",
    "bag_player", "bag_recorder",
)  # fmt: skip
"""Every executable of the package."""

PREDICT_ARGUMENTS = (
    "namespace", "use_sim_time", "params_file", "scene", "model", "device", "views", "microphone", "calibration",
    "autostart", "use_respawn", "log_level", "demo",
)  # fmt: skip
COMPARE_ARGUMENTS = (
    "namespace", "use_sim_time", "params_file", "calibration", "microphone", "autostart", "use_respawn", "log_level",
)  # fmt: skip
REPLAY_ARGUMENTS = (
    "bag", "rate", "start_s", "loop", "graph", "namespace", "params_file", "scene", "model", "device", "views",
    "microphone", "calibration", "autostart", "use_respawn", "log_level",
)  # fmt: skip


def argument_field(name: str) -> Field[Any]:
    """Return the field of one argument: default, and metadata `description` and `choices`."""
    return next(item for item in fields(Options) if item.name == name)


def choices_of(item: Field[Any]) -> tuple[str, ...]:
    """Return what may be written for an argument; empty: anything."""
    if isinstance(item.default, bool):
        return TRUE + FALSE
    choices: tuple[str, ...] = item.metadata["choices"]
    return choices


def text_of(value: Any) -> str:
    """Return a value as it is written on a command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(item: Field[Any], text: str) -> bool | float | str:
    choices = choices_of(item)
    if choices and text not in choices:
        raise ValueError(f"argument '{item.name}': wanted one of {', '.join(map(repr, choices))}, got {text!r}")
    if isinstance(item.default, bool):
        return text in TRUE
    if isinstance(item.default, float):
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"argument '{item.name}': wanted a number, got {text!r}") from None
    return text


@dataclass(frozen=True)
class NodeSpec:
    """One node to run.

    Attributes:
        executable: Name of the executable, of the module in `hearing_hands_ros.nodes` and of the node.
        namespace: Without slashes at the ends; empty for none.
        layers: Parameter files and parameters; a later one replaces what an earlier one says.
        respawn: Start it again when it ends.
        ends_graph: When it ends, all others end too.
        log_level: Its log level.
    """

    executable: str
    namespace: str
    layers: tuple[Layer, ...]
    respawn: bool
    log_level: str
    ends_graph: bool = False

    @property
    def enclave(self) -> str:
        """Where its keys are in a keystore of SROS 2, as in config/security/policy.xml."""
        return f"/{PACKAGE}/{self.executable}"

    def arguments(self) -> list[str]:
        """Return the ROS arguments of its command line, for those who start it without `launch_ros`."""
        words = ["--ros-args", "--log-level", self.log_level, "-r", f"__node:={self.executable}"]
        if self.namespace:
            words += ["-r", f"__ns:=/{self.namespace}"]
        words += ["--enclave", self.enclave]
        for layer in self.layers:
            if isinstance(layer, Path):
                words += ["--params-file", str(layer)]
            else:
                for name, value in layer.items():
                    words += ["-p", f"{name}:={yaml_of(value)}"]
        return words

    def command(self) -> list[str]:
        """Return its whole command line with this Python."""
        module = f"{PACKAGE}.nodes.{self.executable}"
        return [sys.executable, "-c", f"from {module} import main; main()", *self.arguments()]


def yaml_of(value: Value) -> str:
    """Return one value as YAML that reads back with the same type: the text '12' stays a text."""
    if isinstance(value, bool):
        return text_of(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list):
        return "[" + ", ".join(map(yaml_of, value)) + "]"
    return repr(value)


def predict_graph(options: Options, share: Path) -> list[NodeSpec]:
    """Scene server, tracker, generator; with a microphone also those of `compare_graph`; with `demo` also the player.

    Args:
        options: What was asked for.
        share: The package's share folder, with `config` and `demo`.

    Raises:
        ValueError: A path that was given does not exist; names argument, wanted, got.
    """
    if options.demo:
        options = replace(
            options,
            use_sim_time=True,
            scene=options.scene or str(share / DEMO_SCENE),
            model=options.model or str(share / MODEL),
            calibration=options.calibration or str(share / DEMO_CALIBRATION),
            params_file=options.params_file or str(share / DEMO_PARAMETERS),
            microphone=options.microphone or f"topic:{DEMO_SOUND_TOPIC}",
        )
    build = _Builder(options, share)
    scene = build.folder("scene", DEMO_SCENE)
    model = build.folder("model", MODEL)
    asked = {name: text for name in ("device", "views") if (text := getattr(options, name))}
    specs = [
        build.node("scene_server", scene.standing_in("scene"), scene.given("scene")),
        # scene_server says where the scene is; twice would be once too many.
        build.node(
            "hand_tracker", {**scene.standing_in("scene"), "publish_scene_transform": False}, scene.given("scene")
        ),
        build.node(
            "sound_generator",
            {**scene.standing_in("scene"), **model.standing_in("model")},
            {**scene.given("scene"), **model.given("model"), **asked},
        ),
    ]
    if build.microphone():
        specs += compare_graph(options, share)
    if options.demo:
        bag = share / DEMO_BAG
        if not bag.exists():
            raise ValueError(f"argument 'demo': wanted the demo recording '{bag}', found none")
        specs += [build.player(bag, build.listened())]
    return specs


def compare_graph(options: Options, share: Path) -> list[NodeSpec]:
    """Microphone, comparator and viewer, beside a graph that already predicts; nothing without a microphone."""
    build = _Builder(options, share)
    microphone = build.microphone()
    if not microphone:
        return []
    calibration = {"calibration": str(build.file("calibration"))} if options.calibration else {}
    return [
        build.node("microphone", {}, microphone),
        build.node("sound_comparator", {}, calibration),
        build.node("spectrogram_viewer", {}, {}),
    ]


def replay_graph(options: Options, share: Path) -> list[NodeSpec]:
    """Player of a recording and, with `graph`, all nodes of `predict_graph` in simulated time."""
    options = replace(options, use_sim_time=True, demo=False)
    build = _Builder(options, share)
    if not options.rate > 0:
        raise ValueError(f"argument 'rate': wanted more than 0, got {options.rate:g}")
    bag = Path(options.bag).expanduser().absolute() if options.bag else share / DEMO_BAG
    if not bag.exists():
        raise ValueError(f"argument 'bag': wanted a rosbag2 folder, an .mcap or a .db3 file, found nothing at '{bag}'")
    if not options.graph:
        return [build.player(bag, [])]
    return [*predict_graph(options, share), build.player(bag, build.listened())]


@dataclass(frozen=True)
class _Folder:
    """A folder that was given, or one of the package's that stands in for it."""

    path: str
    is_given: bool

    def given(self, parameter: str) -> dict[str, Value]:
        return {parameter: self.path} if self.is_given else {}

    def standing_in(self, parameter: str) -> dict[str, Value]:
        return {} if self.is_given else {parameter: self.path}


@dataclass(frozen=True)
class _Builder:
    """Makes specs that share options and share folder."""

    options: Options
    share: Path

    def node(self, executable: str, below: Mapping[str, Value], above: Mapping[str, Value]) -> NodeSpec:
        """Spec of one of our lifecycle nodes; `params_file` lies between `below` and `above`."""
        common: dict[str, Value] = {"use_sim_time": self.options.use_sim_time, "autostart": self.options.autostart}
        return self._spec(executable, below, {**common, **above}, self.options.use_respawn)

    def player(self, bag: Path, wait_topics: list[str]) -> NodeSpec:
        """Spec of the player: it makes the time, so it has none of `use_sim_time` and ends the graph when done."""
        above: dict[str, Value] = {"bag": str(bag)}
        for name in ("rate", "start_s", "loop"):
            value: Value = getattr(self.options, name)
            if value != argument_field(name).default:
                above[name] = value
        if wait_topics:
            above["wait_topics"] = wait_topics
        return replace(self._spec("bag_player", {}, above, respawn=False), ends_graph=True)

    def _spec(self, executable: str, below: Mapping[str, Value], above: Mapping[str, Value], respawn: bool) -> NodeSpec:
        defaults = self.share / "config" / f"{executable}.yaml"
        layers: list[Layer] = [defaults] if defaults.is_file() else []
        layers += [below] if below else []
        layers += [self.file("params_file")] if self.options.params_file else []
        layers += [above] if above else []
        return NodeSpec(executable, self.options.namespace.strip("/"), tuple(layers), respawn, self.options.log_level)

    def file(self, name: str) -> Path:
        """A file that was given."""
        path = Path(getattr(self.options, name)).expanduser().absolute()
        if not path.is_file():
            raise ValueError(f"argument '{name}': wanted a file, found none at '{path}'")
        return path

    def folder(self, name: str, default: str) -> _Folder:
        given = getattr(self.options, name)
        if not given:
            return _Folder(str(self.share / default), is_given=False)
        path = Path(given).expanduser().absolute()
        if not path.exists():
            raise ValueError(f"argument '{name}': wanted a folder, found none at '{path}'")
        return _Folder(str(path), is_given=True)

    def microphone(self) -> dict[str, Value]:
        """Parameters of the microphone; empty if there shall be none."""
        wanted = self.options.microphone
        if wanted in ("", "none"):
            return {}
        if wanted == "device":
            return {"source": "device"}
        if wanted.startswith("topic:"):
            topic = wanted.removeprefix("topic:")
            if not topic:
                raise ValueError(f"argument 'microphone': wanted 'topic:/name', got {wanted!r}")
            return {"source": "topic", "topic": topic}
        path = Path(wanted).expanduser().absolute()
        if not path.is_file():
            raise ValueError(
                f"argument 'microphone': wanted 'device', 'none', 'topic:/name' or a sound file, got {wanted!r}, "
                f"which is no file"
            )
        return {"source": "file", "file": str(path)}

    def listened(self) -> list[str]:
        """Topics that somebody hears once the whole graph is up: what the player waits for."""
        prefix = f"/{self.options.namespace.strip('/')}/" if self.options.namespace.strip("/") else "/"
        topics = ["/tf", f"{prefix}hands@sound_generator"]
        microphone = self.microphone()
        if microphone:
            topics += [f"{prefix}hands@sound_comparator", f"{prefix}predicted", f"{prefix}heard/audio"]
        if microphone.get("source") == "topic":
            topic = str(microphone["topic"])
            topics.append(topic if topic.startswith("/") else prefix + topic)
        return topics


def share_directory() -> Path:
    """Return the package's share folder: of the source checkout, of the ROS installation, or of pip's prefix.

    Raises:
        FileNotFoundError: None of them has it; names the places.
    """
    checkout = Path(__file__).resolve().parents[1]
    places = [checkout] if (checkout / "package.xml").is_file() else []
    try:
        from ament_index_python.packages import get_package_share_directory

        places.append(Path(get_package_share_directory(PACKAGE)))
    except (ImportError, LookupError, OSError):  # no ROS, not in its index, or no AMENT_PREFIX_PATH (the PyPI wheels)
        pass
    places.append(Path(sys.prefix) / "share" / PACKAGE)
    for place in places:
        if (place / "config").is_dir():
            return place
    raise FileNotFoundError(f"{PACKAGE}: wanted a share folder with 'config', found none of {list(map(str, places))}")
