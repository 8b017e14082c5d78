"""The layouts of RViz and Foxglove: they parse, and name topics and fields that the graph has."""

import json
import re
from pathlib import Path

import yaml

CONFIG = Path(__file__).parents[2] / "config"
NODES = CONFIG.parent / "hearing_hands_ros"


def published() -> dict[str, str]:
    """Topics of the graph's nodes and their types, as the sources say."""
    sources = [path.read_text() for folder in ("nodes", "ros") for path in (NODES / folder).glob("*.py")]
    found = re.findall(r'create_(?:lifecycle_)?publisher\((\w+), "([\w/]+)"', "\n".join(sources))
    return {"/" + topic.lstrip("/"): kind for kind, topic in found}


def fields(type_name: str) -> set[str]:
    text = (CONFIG.parent / "msg" / f"{type_name}.msg").read_text()
    return set(re.findall(r"^\S+\s+(\w+)\s*(?:#.*)?$", text, re.MULTILINE))


def test_rviz_shows_tf_and_the_spectrogram():
    layout = yaml.safe_load((CONFIG / "hearing_hands.rviz").read_text())
    displays = {item["Class"]: item for item in layout["Visualization Manager"]["Displays"]}
    assert "rviz_default_plugins/TF" in displays
    image = displays["rviz_default_plugins/Image"]
    assert image["Topic"]["Value"] == "/spectrogram/image"
    assert image["Enabled"]
    assert image["Name"] in layout["Window Geometry"]
    cloud = displays["rviz_default_plugins/PointCloud2"]
    assert cloud["Topic"]["Value"] == "/scene/points"
    assert cloud["Topic"]["Durability Policy"] == "Transient Local"


def test_foxglove_shows_the_scene_pictures_diagnostics_and_plots():
    panels = json.loads((CONFIG / "hearing_hands.foxglove.json").read_text())["configById"]
    kinds = {name.split("!")[0] for name in panels}
    assert kinds == {"3D", "Image", "Plot", "DiagnosticSummary", "RawMessages"}
    images = {panels[name]["imageMode"]["imageTopic"] for name in panels if name.startswith("Image!")}
    assert images == {"/spectrogram/image", "/comparison/picture"}
    assert panels["3D!hands"]["topics"]["/scene/points"]["visible"]
    plotted = {path["value"] for panel in panels.values() for path in panel.get("paths", [])}
    assert {"/comparison.p_value", "/comparison.lag", "/heard/audio.data[:]"} <= plotted


def test_every_topic_and_field_of_the_foxglove_layout_is_one_of_the_graph():
    text = (CONFIG / "hearing_hands.foxglove.json").read_text()
    topics, ours = published(), {path.stem for path in (CONFIG.parent / "msg").glob("*.msg")}
    assert {"/comparison", "/scene/points", "/diagnostics"} <= set(topics)
    named = re.findall(r'"(/[\w/]+)(?:\.(\w+)(?:\[:\])?)?"', text)
    assert len(named) >= 8
    for topic, field in named:
        assert topic in topics, topic
        assert not field or (topics[topic] in ours and field in fields(topics[topic])), (topic, field)


def test_every_foxglove_panel_has_its_place():
    layout = json.loads((CONFIG / "hearing_hands.foxglove.json").read_text())

    def placed(node) -> list[str]:
        return [node] if isinstance(node, str) else placed(node["first"]) + placed(node["second"])

    assert sorted(placed(layout["layout"])) == sorted(layout["configById"])
