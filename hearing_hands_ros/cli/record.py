"""`hearing-hands record`: TF, sound, images and what the graph says, into a bag that survives a kill."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hearing_hands_ros.graph import FALSE, TRUE, Options, argument_field, choices_of, share_directory
from hearing_hands_ros.record.graph import RECORD_ARGUMENTS, record_graph

if TYPE_CHECKING:
    from hearing_hands_ros.record.state import RecordingState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the launch file: `name:=value` there is `--name value` here."""
    for name in RECORD_ARGUMENTS:
        item = argument_field(name)
        flag, description = f"--{name.replace('_', '-')}", item.metadata["description"]
        if name == "topics":
            parser.add_argument("topics", nargs="*", metavar="TOPIC", help="to record beside those that are found")
        elif isinstance(item.default, bool):
            parser.add_argument(flag, action="store_const", const=TRUE[0], default=FALSE[0], help=description)
        else:
            choices = list(choices_of(item)) or None
            parser.add_argument(flag, choices=choices, default=item.default, required=name == "out", help=description)


def run(args: argparse.Namespace) -> int:
    """Record until Ctrl-C or SIGTERM; say what is missing all the while, and what to do next at the end.

    Returns:
        0 if everything that came is in the bag, else 1.

    Raises:
        ValueError: An argument is wrong; names it, wanted, got.
    """
    texts = {name: getattr(args, name) for name in RECORD_ARGUMENTS if name != "topics"}
    options = Options.from_text({**texts, "topics": " ".join(args.topics)})
    (spec,) = record_graph(options, share_directory())
    console = Console(highlight=False)
    words = spec.arguments() + ["-p", "say_s:=0.0"] * console.is_terminal
    state = _record(words, console)
    _sum_up(state, args, console)
    return int(bool(state.errors))


def _record(words: list[str], console: Console) -> RecordingState:
    from hearing_hands_ros.nodes.bag_recorder import record

    if not console.is_terminal:
        return record(words)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        return record(words, lambda state: live.update(_shown(state), refresh=True))


def _shown(state: RecordingState) -> Group:
    lines = [Text.assemble(("● ", "bold red"), state.progress())]
    lines += [Text(error, "bold red") for error in state.errors]
    lines += [Text(f"missing: {warning}", "yellow") for warning in state.warnings]
    return Group(*lines, Text("Ctrl-C ends the recording", "dim"))


def _sum_up(state: RecordingState, args: argparse.Namespace, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("topic", "messages", "dropped", "lost on the way"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    for name, topic in state.topics.items():
        table.add_row(name, str(topic.messages), str(topic.dropped), str(topic.lost))
    console.print(f"recorded {state.seconds:.1f} s, {state.file_bytes / 1e6:.1f} MB: {state.path}", soft_wrap=True)
    console.print(table)
    for error in state.errors:
        console.print(error, style="bold red", soft_wrap=True)
    for warning in state.warnings:
        console.print(f"missing at the end: {warning}", style="yellow", soft_wrap=True)
    console.print(f"next: {next_command(state, args)}", soft_wrap=True)


def next_command(state: RecordingState, args: argparse.Namespace) -> str:
    """The line to type with the bag: calibrate the microphone's lag as long as that is not, else make a dataset."""
    bag, scene = shlex.quote(state.path), shlex.quote(args.scene or "SCENE")
    more = f" --params-file {shlex.quote(args.params_file)}" if args.params_file else ""
    if any("calibrate lag" in lack for lack in state.lacks):
        return f"hearing-hands calibrate lag {bag} --scene {scene}{more} --out my_robot.yaml"
    return f"hearing-hands dataset build {bag} --scene {scene}{more} --out {bag}_dataset"
