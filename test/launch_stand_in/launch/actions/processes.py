"""Processes."""

import asyncio
import os
import pty

from launch.core import Action, normalize, perform


class ExecuteProcess(Action):
    """A process: started, its lines kept, started again, stopped by its id."""

    def __init__(
        self, *, cmd, output="log", emulate_tty=False, respawn=False, respawn_delay=None, respawn_max_retries=-1,
        on_exit=None, name=None, cwd=None, env=None, additional_env=None, sigterm_timeout=None, sigkill_timeout=None,
        shell=False, prefix=None, **kwargs,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        unused = {"name": name, "cwd": cwd, "env": env, "additional_env": additional_env, "prefix": prefix}
        unused |= {"sigterm_timeout": sigterm_timeout, "sigkill_timeout": sigkill_timeout, "shell": shell or None}
        if given := [key for key, value in unused.items() if value is not None]:
            raise NotImplementedError(f"the stand-in has no {given}")
        if not isinstance(respawn, bool):
            raise NotImplementedError(f"the stand-in wants a bool for respawn, got {type(respawn)}")
        if respawn_delay is not None and not isinstance(respawn_delay, (int, float)):
            raise TypeError(f"respawn_delay wanted a number, got {type(respawn_delay)}")
        if not isinstance(emulate_tty, bool):
            raise TypeError(f"emulate_tty wanted a bool, got {type(emulate_tty)}")
        if on_exit is not None and not (callable(on_exit) or all(isinstance(a, Action) for a in on_exit)):
            raise TypeError(f"on_exit wanted a function or actions, got {on_exit}")
        if output not in ("log", "screen", "both", "own_log", "full"):
            raise ValueError(f"output: got '{output}'")
        self.cmd = [normalize(word) for word in cmd]
        self.emulate_tty, self.on_exit = emulate_tty, on_exit
        self.respawn, self.respawn_delay, self.respawn_max_retries = respawn, respawn_delay, respawn_max_retries
        self.command: list[str] = []
        self.pid: int | None = None
        self.return_code: int | None = None
        self.starts = 0
        self.lines: list[str] = []

    def execute(self, context):
        self.command = [perform(context, word) for word in self.cmd]
        context.service.processes.append(self)
        context.service.spawn(self.keep(context.service))

    async def keep(self, service) -> None:
        """Run it, and again while it shall respawn."""
        while True:
            await self.once()
            if service.stopping:
                return
            if not self.respawn or 0 <= self.respawn_max_retries < self.starts:
                break
            end = asyncio.get_running_loop().time() + (self.respawn_delay or 0.0)
            while asyncio.get_running_loop().time() < end:
                if service.stopping:
                    return
                await asyncio.sleep(0.02)
        for action in self.on_exit or []:
            service.visit(action)

    async def once(self) -> None:
        read, write = pty.openpty() if self.emulate_tty else os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.DEVNULL, stdout=write, stderr=write
            )
        finally:
            os.close(write)
        self.pid, self.return_code = process.pid, None
        self.starts += 1
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb"))
        try:
            while line := await reader.readline():
                self.lines.append(line.decode(errors="replace").rstrip())
        except OSError:  # how a pseudo-terminal ends
            pass
        self.return_code = await process.wait()
        self.pid = None
        transport.close()

    def send_signal(self, signum: int) -> None:
        if self.pid is not None:
            os.kill(self.pid, signum)
