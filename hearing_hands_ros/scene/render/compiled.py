"""Compilation with numba that works wherever the package lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit` that frees the GIL, divides as numpy does, and keeps its result for the next start.

    numba keeps it where NUMBA_CACHE_DIR says, else in `__pycache__` beside the source, else in the user's cache folder.
    Where none of them can be written (a read-only container) it refuses to work at all; there we compile at each start.
    """

    def decorate(function: Function) -> Function:
        settings = {"nogil": True, "error_model": "numpy", **options}
        try:
            return njit(cache=True, **settings)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return njit(**settings)(function)

    return decorate
