"""Options of the same name mean the same in all commands, with the same default, or it is written here why not."""

import argparse
import importlib
from dataclasses import fields

import pytest

from hearing_hands_ros.cli.main import COMMANDS
from hearing_hands_ros.graph import Options, predict_graph, share_directory
from hearing_hands_ros.replay.settings import settings_of

LAUNCH = {item.name: item.default for item in fields(Options)}
NOT_GIVEN = (None, "", [], ())

OWN_DEFAULT = {
    "--bank": "`dataset simulate` must play something; `evaluate` judges a bank only if it is named",
    "--frame-id": "`scene build` may go on with a bundle that has one",
    "--images": "a folder of images for `scene register`; for `record`, which images are a must",
    "--items": "`dataset simulate` makes so many of each scene; `evaluate` takes all unless told fewer",
    "--licence": "nobody can state that of the published weights but who has them",
    "--out": "each command makes its own thing; those that make a page have a place for it",
    "--parent-frame": "a scene that is imported is in no robot's frame; one that is registered is",
    "--split": "a bank is made of what was learnt from, judgements and calibrations of what was not",
    "--steps": "of training for `scene build`; of drawing, several to compare, for `evaluate`",
    "--views": "`demo` and `dataset build` have the default of the graph's parameters, others take what those say",
}
"""Options whose defaults differ, and why."""

SEVERAL = {
    "--calibration": "`fleet` has one of each model",
    "--model": "`fleet` and `evaluate` compare models",
    "--split": "a calibration may be of all touches that were not learnt from",
}
"""Options that only some commands take several times, and why."""


def parsers():
    for command in COMMANDS:
        module = importlib.import_module(f"hearing_hands_ros.cli.{command}")
        for name in getattr(module, "COMMANDS", [""]):
            parser = argparse.ArgumentParser()
            (module._module(name) if name else module).add_arguments(parser)
            yield f"{command} {name}".rstrip(), parser


@pytest.fixture(scope="module")
def options():
    """By name, what each command that has it makes of it."""
    found = {}
    for command, parser in parsers():
        for action in parser._actions:
            for name in action.option_strings:
                if name not in ("-h", "--help"):
                    found.setdefault(name, {})[command] = action
    return found


def default_of(command, action):
    """What holds where it is not given; `up` leaves that to the launch files' defaults."""
    default = LAUNCH.get(action.dest) if command == "up" and action.default is None else action.default
    if isinstance(default, bool):
        default = str(default).lower()
    return None if default in NOT_GIVEN else default


def differing(options, what):
    return {
        name: {command: what(command, action) for command, action in of.items()}
        for name, of in options.items()
        if len({repr(what(*each)) for each in of.items()}) > 1
    }


def test_options_of_the_same_name_have_the_same_default(options):
    assert sum(len(of) > 1 for of in options.values()) > 20
    assert set(differing(options, default_of)) == set(OWN_DEFAULT), differing(options, default_of)


def test_options_of_the_same_name_are_all_given_once_or_all_several_times(options):
    found = differing(options, lambda _, action: isinstance(action, argparse._AppendAction))
    assert set(found) == set(SEVERAL), found


def test_options_of_the_same_name_have_the_same_choices(options):
    found = differing(options, lambda _, action: action.choices and sorted(action.choices))
    assert set(found) == {"--images"}, found


def test_the_rate_of_false_alarms_is_that_of_the_comparator(options):
    graph = predict_graph(Options(microphone="topic:/audio"), share_directory())
    assert {action.default for action in options["--alpha"].values()} == {settings_of(graph).alpha}
