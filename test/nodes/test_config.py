"""config/ says what the nodes' parameters are, no more and no less."""

from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from hearing_hands_ros.graph import NODES
from hearing_hands_ros.ros.parameters import default_of

CONFIG = Path(__file__).parents[2] / "config"


def parameters_of(node):
    module = import_module(f"hearing_hands_ros.nodes.{node}")
    return getattr(module, "".join(part.capitalize() for part in node.split("_")) + "Parameters")


@pytest.mark.parametrize("node", NODES)
def test_every_parameter_stands_in_the_file_with_its_default(node):
    document = yaml.safe_load((CONFIG / f"{node}.yaml").read_text())
    written = document[f"/**/{node}"]["ros__parameters"]
    declared = {item.name: default_of(item) for item in fields(parameters_of(node))}
    asked_for = set(declared) - set(written)
    assert asked_for <= {"bag"}  # the player has no recording of its own
    assert set(written) <= set(declared)
    for name, value in written.items():
        assert value == declared[name], name
        assert type(value) is type(declared[name]), name


@pytest.mark.parametrize("node", NODES)
def test_every_parameter_has_a_description_and_every_number_a_range(node):
    for item in fields(parameters_of(node)):
        assert len(item.metadata["description"]) > 10, item.name
        if isinstance(default_of(item), (int, float)) and not isinstance(default_of(item), bool):
            assert item.metadata["low"] is not None, item.name
            assert item.metadata["low"] <= default_of(item) <= item.metadata["high"], item.name
