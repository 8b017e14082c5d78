"""How long tests wait on a machine that has other things to do too."""

import os


def patience() -> float:
    """1 where all that runs has a core of its own; where it shares them, so many times as long is waited."""
    return max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))
