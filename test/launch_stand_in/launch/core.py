"""Context, description, actions' base and the service that runs them."""

import asyncio
import signal
import time
from collections.abc import Iterable


class Substitution:
    """Text that is known only at run time."""

    def perform(self, context: "LaunchContext") -> str:
        raise NotImplementedError


def normalize(value) -> list[Substitution]:
    """As launch.utilities.normalize_to_list_of_substitutions: text, substitution, path, or a list of these."""
    from pathlib import Path

    from launch.substitutions import TextSubstitution

    if isinstance(value, Substitution):
        return [value]
    if isinstance(value, (str, Path)):
        return [TextSubstitution(text=str(value))]
    if isinstance(value, Iterable) and not isinstance(value, (bytes, dict)):
        return [part for item in value for part in normalize(item)]
    raise TypeError(
        f"Failed to normalize given item of type '{type(value)}', when only 'str' or 'Substitution' is wanted."
    )


def perform(context: "LaunchContext", value) -> str:
    return "".join(part.perform(context) for part in normalize(value))


class LaunchContext:
    """Launch configurations of one run."""

    def __init__(self, *, argv=None, noninteractive: bool = False) -> None:
        self.argv = list(argv or [])
        self.launch_configurations: dict[str, str] = {}
        self.noninteractive = noninteractive
        self.service: LaunchService | None = None


class Action:
    """Something that a launch description does."""

    def __init__(self, *, condition=None) -> None:
        from launch.conditions import Condition

        if condition is not None and not isinstance(condition, Condition):
            raise TypeError(f"condition wanted a Condition, got {type(condition)}")
        self.condition = condition

    def visit(self, context: LaunchContext):
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context: LaunchContext):
        raise NotImplementedError


class LaunchDescription:
    """A list of actions."""

    def __init__(self, initial_entities=None, *, deprecated_reason=None) -> None:
        self.entities = list(initial_entities or [])
        self.deprecated_reason = deprecated_reason
        for entity in self.entities:
            if not isinstance(entity, (Action, LaunchDescription)):
                raise TypeError(f"LaunchDescription wanted actions, got {type(entity)}")

    def add_action(self, action: Action) -> None:
        self.entities.append(action)

    def get_launch_arguments(self):
        from launch.actions import DeclareLaunchArgument

        return [entity for entity in self.entities if isinstance(entity, DeclareLaunchArgument)]

    def visit(self, context: LaunchContext):
        return list(self.entities)


class LaunchService:
    """Visits a description, keeps its processes, and stops them by pid."""

    def __init__(self, *, argv=None, noninteractive: bool = False, debug: bool = False) -> None:
        self.context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self.context.service = self
        self.context.launch_configurations.update(a.split(":=", 1) for a in self.context.argv)
        self.processes: list = []
        self.tasks: set[asyncio.Task] = set()
        self.stopping = False
        self.shutdown_reason = ""
        self._descriptions: list[LaunchDescription] = []

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        self._descriptions.append(launch_description)

    def visit(self, entity) -> None:
        """Depth first, in order, as launch does."""
        for item in entity.visit(self.context) or []:
            self.visit(item)

    def spawn(self, coroutine) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def shutdown(self, reason: str = "") -> None:
        if not self.stopping:
            self.stopping, self.shutdown_reason = True, reason

    async def run_async(self, timeout_s: float = 60.0) -> int:
        """Run until all processes ended or `shutdown`; `timeout_s` is ours, so that no test hangs."""
        for description in self._descriptions:
            self.visit(description)
        end = time.monotonic() + timeout_s
        while self.tasks and not self.stopping and time.monotonic() < end:
            await asyncio.sleep(0.02)
        self.stopping = True
        for signum, wait_s in ((signal.SIGINT, 5.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            for process in self.processes:
                process.send_signal(signum)
            end = time.monotonic() + wait_s
            while self.tasks and time.monotonic() < end:
                await asyncio.sleep(0.02)
        return 1 if any(process.return_code not in (0, None) for process in self.processes) else 0

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        if not shutdown_when_idle:
            raise NotImplementedError("the stand-in ends when idle")
        return asyncio.run(self.run_async())
