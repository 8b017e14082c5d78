"""Checks that configurations share."""

from __future__ import annotations

import math


def need(fits: bool, who: str, name: str, wanted: str, got: object) -> None:
    """Refuse a value.

    Raises:
        ValueError: It does not fit.
    """
    if not fits:
        raise ValueError(f"{who}: {name} wanted {wanted}, got {got!r}")


def need_at_least(who: str, name: str, least: float, got: float) -> None:
    """Refuse a number that is too small or not finite.

    Raises:
        ValueError: It is.
    """
    need(math.isfinite(got) and got >= least, who, name, f"at least {least:g}", got)


def need_share(who: str, name: str, got: float) -> None:
    """Refuse what is not between 0 and 1.

    Raises:
        ValueError: It is not.
    """
    need(0.0 <= got <= 1.0, who, name, "a share, 0 to 1", got)
