"""The layouts of RViz and Foxglove: they parse, and name topics and fields that the graph has."""

import json
import re
from pathlib import Path

import yaml

CONFIG = Path(__file__).parents[2] / "config"
TYPES = {
    "/spectrogram/image": "sensor_msgs/Image",
    "/diagnostics": "diagnostic_msgs/DiagnosticArray",
    "/comparison": "SoundComparison",
    "/predicted": "SoundPrediction",
}


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


def test_foxglove_shows_tf_spectrogram_diagnostics_and_plots():
    layout = json.loads((CONFIG / "hearing_hands.foxglove.json").read_text())
    panels = layout["configById"]
    assert panels["Image!spectrogram"]["imageMode"]["imageTopic"] == "/spectrogram/image"
    assert panels["DiagnosticSummary!nodes"]["topicToRender"] == "/diagnostics"
    assert panels["RawMessages!verdict"]["topicPath"] in TYPES
    plotted = [path["value"] for panel in panels.values() for path in panel.get("paths", [])]
    assert {"/comparison.p_value", "/comparison.lag"} <= set(plotted)
    for value in plotted:
        topic, field = value.rsplit(".", 1)
        assert field in fields(TYPES[topic]), value


def test_every_foxglove_panel_has_its_place():
    layout = json.loads((CONFIG / "hearing_hands.foxglove.json").read_text())

    def placed(node) -> list[str]:
        return [node] if isinstance(node, str) else placed(node["first"]) + placed(node["second"])

    assert sorted(placed(layout["layout"])) == sorted(layout["configById"])
