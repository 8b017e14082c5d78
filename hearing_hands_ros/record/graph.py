"""How the recorder is started: what `record.launch.py` and `hearing-hands record` share."""

from __future__ import annotations

from pathlib import Path

from hearing_hands_ros.graph import Layer, NodeSpec, Options, Value

RECORD_ARGUMENTS = (
    "out", "scene", "topics", "audio_topic", "images", "params_file", "namespace", "use_sim_time", "log_level",
)  # fmt: skip
WANTED = {"scene": "folder", "params_file": "file"}


def record_graph(options: Options, share: Path) -> list[NodeSpec]:
    """The recorder alone, beside a graph that runs.

    Args:
        options: Of them those of `RECORD_ARGUMENTS`; scene and params_file tell it what to look for.
        share: The package's share folder.

    Raises:
        ValueError: A path that was given does not exist; names argument, wanted, got.
    """
    above: dict[str, Value] = {"use_sim_time": options.use_sim_time, "images": options.images}
    if options.audio_topic:
        above["audio_topic"] = options.audio_topic
    for name in ("out", "scene", "params_file"):
        if text := getattr(options, name):
            path = Path(text).expanduser().absolute()
            if name != "out" and not path.exists():
                raise ValueError(f"argument '{name}': wanted a {WANTED[name]}, found none at '{path}'")
            above[name] = str(path)
    if topics := options.topics.split():
        above["topics"] = topics
    own = [Path(str(above["params_file"]))] if options.params_file else []
    layers: tuple[Layer, ...] = (share / "config" / "bag_recorder.yaml", *own, above)
    return [NodeSpec("bag_recorder", options.namespace.strip("/"), layers, False, options.log_level)]
