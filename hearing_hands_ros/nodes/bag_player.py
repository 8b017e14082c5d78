"""Node that plays a recording with its time on /clock, and ends with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import rclpy
import rclpy.logging
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.task import Future

from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.ros.bag_playback import BagPlayer
from hearing_hands_ros.ros.diagnostics import OK, WARN, Updater
from hearing_hands_ros.ros.parameters import declare_parameters, parameter, read_parameters
from hearing_hands_ros.ros.spin import SPIN_S, EventsExecutor

BROKEN = 2


@dataclass(frozen=True)
class BagPlayerParameters:
    """Parameters of the bag player."""

    bag: str = parameter("", "Recording to play: a rosbag2 folder, an .mcap or a .db3 file.")
    rate: float = parameter(1.0, "Speed of playing; 2.0 is twice as fast.", low=0.01, high=100.0)
    start_s: float = parameter(0.0, "Where to begin, s after the first message.", low=0.0, high=1e6)
    tail_s: float = parameter(3.0, "How long /clock goes on after the last message, s.", low=0.0, high=3600.0)
    loop: bool = parameter(False, "Begin again at the end; the time on /clock then jumps back.")
    clock: bool = parameter(True, "Publish /clock at 100 Hz.")
    # An empty list would be declared as one of bytes, so one empty name stands for none.
    topics: list[str] = parameter([""], "Play only these topics; [''] plays all.")
    wait_topics: list[str] = parameter(
        [""],
        "Topics that need a subscription before it starts, one named twice two, TOPIC@NODE one of that node; ['']: any "
        "topic of the recording.",
    )
    wait_subscribers_s: float = parameter(
        60.0, "How long to wait for these at most, s; then it starts with a warning.", low=0.0, high=3600.0
    )


class BagPlayerNode(Node):
    """Plays in a thread of its own; `done` resolves with the exit code."""

    def __init__(self) -> None:
        super().__init__("bag_player")
        declare_parameters(self, BagPlayerParameters)
        self.settings = read_parameters(self, BagPlayerParameters)
        if not self.settings.bag:
            raise ValueError("bag_player: parameter 'bag' wants a rosbag2 folder, an .mcap or a .db3 file, got nothing")
        self._bag = RecordedBag(Path(self.settings.bag).expanduser())
        for remark in self._bag.remarks:
            self.get_logger().warning(f"'{self._bag.path}': {remark}")
        self._player = BagPlayer(
            self,
            self._bag,
            rate=self.settings.rate,
            start_s=self.settings.start_s,
            tail_s=self.settings.tail_s,
            topics=tuple(filter(None, self.settings.topics)),
            with_clock=self.settings.clock,
        )
        self._state = WARN, "waiting for listeners"
        self._diagnostics = Updater(self)
        self._diagnostics.setHardwareID("hearing_hands_ros")
        self._diagnostics.add("status", self._diagnose)
        self.done: Future[int] = Future()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="bag_player", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End playing and close the bag."""
        self._stop.set()
        self._thread.join(timeout=5.0)
        if not self._thread.is_alive():
            self._bag.close()

    def _diagnose(self, status: Any) -> Any:
        report = self._player.report
        status.add("bag", self.settings.bag)
        status.add("rate", f"{self.settings.rate:g}")
        status.add("published", report.published.total())
        status.add("skipped", report.skipped.total())
        status.add("latest_ms", f"{1e3 * max(report.late_s, default=0.0):.1f}")
        status.summary(*self._state)
        return status

    def _run(self) -> None:
        code = BROKEN
        try:
            self._play()
            code = 0
        except ValueError as error:
            self.get_logger().fatal(str(error))
        except Exception:
            # Publishing fails when the context ends first; then there is nothing left to say.
            if self.context.ok():
                raise
            code = 0
        finally:
            self.done.set_result(code)

    def _play(self) -> None:
        missing = self._player.wait_for_subscribers(
            list(filter(None, self.settings.wait_topics)), self.settings.wait_subscribers_s, self._stop
        )
        if missing and not self._stop.is_set():
            waited_s = self.settings.wait_subscribers_s
            self.get_logger().warning(
                f"too few listen to {', '.join(missing)} after {waited_s:g} s; playing all the same"
            )
        while not self._stop.is_set():
            self.get_logger().info(f"playing '{self.settings.bag}' at rate {self.settings.rate:g}")
            self._state = OK, "playing"
            report = self._player.play(self._stop)
            self.get_logger().info(f"played {report.summary()}")
            if not self.settings.loop:
                return


def main(args: list[str] | None = None) -> None:
    """Play until the end of the recording, SIGINT or SIGTERM; exit code 2 if the recording cannot be played."""
    rclpy.init(args=args)
    node, code = None, 0
    try:
        node = BagPlayerNode()
        executor = EventsExecutor()
        executor.add_node(node)
        while rclpy.ok() and not node.done.done():
            # The player's thread resolves `done`, which does not wake every executor: hence the short turns.
            executor.spin_until_future_complete(node.done, timeout_sec=SPIN_S / 5)
        code = (node.done.result() or 0) if node.done.done() else 0
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ValueError as error:
        rclpy.logging.get_logger("bag_player").fatal(str(error))
        code = BROKEN
    finally:
        if node is not None:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
