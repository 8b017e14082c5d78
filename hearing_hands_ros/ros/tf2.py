"""The one place from which nodes import tf2: the real one where it is installed, else ours of the same names.

Only the absence of tf2 selects ours. A tf2 that is installed and broken must be seen, not replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

_PARTS = ("tf2_ros", "tf2_py", "tf2_msgs")

if TYPE_CHECKING:
    from .tf2_broadcaster import StaticTransformBroadcaster, TransformBroadcaster
    from .tf2_buffer import Buffer
    from .tf2_exceptions import (
        ConnectivityException,
        ExtrapolationException,
        InvalidArgumentException,
        LookupException,
        TimeoutException,
        TransformException,
    )
    from .tf2_listener import PolledTransformListener, TransformListener

    IS_REAL_TF2: bool
else:
    try:
        from tf2_ros import (
            Buffer,
            ConnectivityException,
            ExtrapolationException,
            InvalidArgumentException,
            LookupException,
            StaticTransformBroadcaster,
            TimeoutException,
            TransformBroadcaster,
            TransformException,
            TransformListener,
        )

        class PolledTransformListener(TransformListener):
            """The real listener takes its messages as they come: nothing ever waits."""

            def take_waiting(self) -> None:
                """Do nothing."""

        IS_REAL_TF2 = True
    except ModuleNotFoundError as error:
        if error.name not in _PARTS:
            raise
        from .tf2_broadcaster import StaticTransformBroadcaster, TransformBroadcaster
        from .tf2_buffer import Buffer
        from .tf2_exceptions import (
            ConnectivityException,
            ExtrapolationException,
            InvalidArgumentException,
            LookupException,
            TimeoutException,
            TransformException,
        )
        from .tf2_listener import PolledTransformListener, TransformListener

        IS_REAL_TF2 = False

__all__ = [
    "IS_REAL_TF2",
    "Buffer",
    "ConnectivityException",
    "ExtrapolationException",
    "InvalidArgumentException",
    "LookupException",
    "PolledTransformListener",
    "StaticTransformBroadcaster",
    "TimeoutException",
    "TransformBroadcaster",
    "TransformException",
    "TransformListener",
]
