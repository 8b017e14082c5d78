"""How much memory is left, asked before a file is read rather than after the machine stands still."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Memory that can be had without swapping, of the machine and of its container; None where nobody says."""
    left = []
    if MEMINFO.is_file():
        fields = dict(line.split(":", 1) for line in MEMINFO.read_text(encoding="ascii").splitlines() if ":" in line)
        if "MemAvailable" in fields:
            left.append(int(fields["MemAvailable"].split()[0]) * 1024)
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.is_file() and used.is_file() and (most := limit.read_text(encoding="ascii").strip()).isdigit():
        left.append(max(int(most) - int(used.read_text(encoding="ascii")) + _reclaimable(), 0))
    return min(left, default=None)


def require(who: str, what: str, wanted: int, advice: str) -> None:
    """Refuse what does not fit.

    Args:
        who: Begins the message.
        what: Needs the memory.
        wanted: Bytes.
        advice: How to need less.

    Raises:
        ValueError: Less is left.
    """
    left = available_bytes()
    if left is not None and wanted > left:
        raise ValueError(
            f"{who}: wanted {gigabytes(wanted)} of memory for {what}, got {gigabytes(left)} free; {advice}"
        )


def gigabytes(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.3g} MB"


def _reclaimable() -> int:
    """File pages that the container's count holds and that are given back on demand."""
    stat = CGROUP / "memory.stat"
    lines = stat.read_text(encoding="ascii").splitlines() if stat.is_file() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
