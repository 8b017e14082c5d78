"""ROS domains that nobody on this machine is in, also where several look for one at the same time."""

from __future__ import annotations

import contextlib
import random
import socket
from collections import deque
from typing import Final

HELD: Final = 32
_held: deque[socket.socket] = deque()


def free_domain() -> int:
    """Give a ROS domain whose discovery ports nobody uses (Linux: up to 101), another one at each call.

    Whoever was given one may take seconds to open its ports, so the last `HELD` stay taken for as long as this process
    lives.

    Raises:
        RuntimeError: All are in use.
    """
    for domain in random.SystemRandom().sample(range(1, 102), 101):
        base = 7400 + 250 * domain
        taken = _bound(base + 9)  # a port that DDS leaves alone: whoever has it has the domain
        if taken is None:
            continue
        ports = [_bound(base + offset) for offset in (0, 10, 11, 12, 13, 14, 15)]
        for port in ports:
            if port is not None:
                port.close()
        if None in ports:
            taken.close()
            continue
        _held.append(taken)
        if len(_held) > HELD:
            _held.popleft().close()
        return domain
    raise RuntimeError("ROS domains: wanted one of 1..101 that nobody uses, found none")


def _bound(port: int) -> socket.socket | None:
    """A UDP socket that has this port, or None where another has it."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with contextlib.suppress(OSError):
            sock.bind(("", port))
            stack.pop_all()
            return sock
    return None
