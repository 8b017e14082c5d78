"""`hearing-hands up`: the nodes of the launch files, started and kept running without `ros2 launch`."""

from __future__ import annotations

import argparse
import os
import queue
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Thread
from types import FrameType

from rich.console import Console
from rich.text import Text

from hearing_hands_ros.graph import (
    FALSE,
    PREDICT_ARGUMENTS,
    REPLAY_ARGUMENTS,
    RESPAWN_DELAY_S,
    TRUE,
    NodeSpec,
    Options,
    argument_field,
    choices_of,
    predict_graph,
    replay_graph,
    share_directory,
)

STEPS = ((signal.SIGINT, 5.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0))
STYLES = ("cyan", "green", "magenta", "yellow", "blue", "bright_red")
TURN_S = 0.1
OF_THE_PLAYER = ("rate", "start_s", "loop", "graph")
ARGUMENTS = tuple(dict.fromkeys((*PREDICT_ARGUMENTS, *REPLAY_ARGUMENTS)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the launch files: `name:=value` there is `--name value` here, and true is `--name`."""
    for name in ARGUMENTS:
        item = argument_field(name)
        description = item.metadata["description"] + (" Only with --bag." if name in OF_THE_PLAYER else "")
        if isinstance(item.default, bool):
            text = f"Turns off: {description}" if item.default else description
            parser.add_argument(
                flag_of(name), dest=name, action="store_const", const=FALSE[0] if item.default else TRUE[0], help=text
            )
        else:
            choices = [choice for choice in choices_of(item) if choice] or None
            parser.add_argument(flag_of(name), dest=name, choices=choices, help=description)


def flag_of(name: str) -> str:
    """Return how an argument is written: --use-respawn, and what is true by default as --no-graph."""
    word = name.replace("_", "-")
    return f"--no-{word}" if argument_field(name).default is True else f"--{word}"


def options_of(args: argparse.Namespace) -> Options:
    """Return what was asked for."""
    given = {name: getattr(args, name, None) for name in ARGUMENTS}
    return Options.from_text({name: text for name, text in given.items() if text is not None})


def run(args: argparse.Namespace) -> int:
    """Start the nodes and stay until Ctrl-C or until they have ended.

    Returns:
        0 if all ended well or were stopped, else 1; the player's own code if it cannot play.

    Raises:
        ValueError: An argument is wrong; names it, wanted, got.
    """
    options = options_of(args)
    if args.bag is not None and options.demo:
        raise ValueError("argument 'bag': wanted none with 'demo', which plays its own")
    if args.bag is None:
        for name in OF_THE_PLAYER:
            if getattr(args, name) is not None:
                raise ValueError(f"{flag_of(name)}: wanted --bag with it, whose playing it changes; got none")
    build = predict_graph if args.bag is None else replay_graph
    specs = build(options, share_directory())
    return Supervisor(specs, Console(highlight=False)).run()


@dataclass
class Child:
    """One node and its process."""

    spec: NodeSpec
    style: str
    process: subprocess.Popen[str] | None = None
    start_at_s: float | None = 0.0
    starts: int = 0
    codes: list[int] = field(default_factory=list)


class Supervisor:
    """Starts nodes, prefixes their lines, starts again what shall be, and stops all of them by their ids.

    Args:
        specs: The nodes.
        console: Where lines go.
    """

    def __init__(self, specs: Sequence[NodeSpec], console: Console) -> None:
        self._console = console
        self.children = [Child(spec, STYLES[i % len(STYLES)]) for i, spec in enumerate(specs)]
        self._width = max((len(spec.executable) for spec in specs), default=0)
        self._lines: queue.SimpleQueue[tuple[Child | None, str]] = queue.SimpleQueue()
        self._asked_to_stop = 0

    def run(self) -> int:
        """Run until all have ended, one that ends the graph has, or SIGINT or SIGTERM comes; return the exit code."""
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            code = self._keep_running()
        finally:
            clean = self._stop()
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return code if clean else code or 1

    def _keep_running(self) -> int:
        while not self._asked_to_stop:
            now_s = time.monotonic()
            for child in self.children:
                if child.start_at_s is not None and now_s >= child.start_at_s:
                    self._start(child)
                code = child.process.poll() if child.process else None
                if code is None:
                    continue
                self._ended(child, code)
                if child.spec.ends_graph:
                    self._say(f"{child.spec.executable} has ended, so all do")
                    return code if code >= 0 else 1
            if all(child.process is None and child.start_at_s is None for child in self.children):
                self._say("all nodes have ended")
                return int(any(child.codes[-1] for child in self.children if child.codes))
            self._print_lines(TURN_S)
        return 0

    def _start(self, child: Child) -> None:
        # A session of its own: Ctrl-C in the terminal shall reach the nodes once, from here, and in order.
        child.process = subprocess.Popen(
            child.spec.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        child.start_at_s = None
        child.starts += 1
        Thread(target=self._read, args=(child, child.process), daemon=True).start()
        self._say(f"{child.spec.executable} runs as process {child.process.pid}")

    def _read(self, child: Child, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101  (for mypy: it is a pipe)
        for line in process.stdout:
            self._lines.put((child, line.rstrip("\n")))

    def _ended(self, child: Child, code: int) -> None:
        child.process = None
        child.codes.append(code)
        reason = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        again = f"; starting it again in {RESPAWN_DELAY_S:g} s" if child.spec.respawn else ""
        self._say(f"{child.spec.executable} has ended {reason}{again}")
        if child.spec.respawn:
            child.start_at_s = time.monotonic() + RESPAWN_DELAY_S

    def _stop(self) -> bool:
        """Stop what still runs, more and more firmly; true if nothing had to be killed."""
        asked_before = self._asked_to_stop
        for number, patience_s in STEPS:
            left = [child for child in self.children if child.process and child.process.poll() is None]
            if not left:
                break
            names = ", ".join(child.spec.executable for child in left)
            self._say(f"{number.name} to {names}")
            for child in left:
                if child.process and child.process.poll() is None:
                    child.process.send_signal(number)
            end_s = time.monotonic() + patience_s
            while any(child.process and child.process.poll() is None for child in left):
                if time.monotonic() > end_s:
                    break
                if self._asked_to_stop > asked_before + 1:  # Ctrl-C again: no more patience with this step
                    asked_before = self._asked_to_stop
                    break
                self._print_lines(TURN_S)
            else:
                break
        time.sleep(0.05)  # the readers' last lines
        self._print_lines(0.0)
        return not any(child.process and child.process.returncode == -signal.SIGKILL for child in self.children)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked_to_stop += 1

    def _say(self, text: str) -> None:
        self._print(None, text)

    def _print_lines(self, wait_s: float) -> None:
        """Print what has come; wait at most so long for the first line."""
        try:
            child, line = self._lines.get(timeout=wait_s) if wait_s else self._lines.get_nowait()
            while True:
                self._print(child, line)
                child, line = self._lines.get_nowait()
        except queue.Empty:
            pass

    def _print(self, child: Child | None, line: str) -> None:
        name, style = (child.spec.executable, child.style) if child else ("up", "bold")
        text = Text.assemble((f"[{name}]".ljust(self._width + 3), style), Text.from_ansi(line))
        self._console.print(text, soft_wrap=True)
