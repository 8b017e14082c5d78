"""Exceptions of the transform buffer, named and nested as those of tf2."""

from __future__ import annotations


class TransformException(Exception):  # noqa: N818 - the names in tf2
    """Base of all that a transform look-up raises."""


class ConnectivityException(TransformException):
    """The two frames are in separate trees."""


class LookupException(TransformException):
    """A frame is unknown, or the tree has a loop."""


class ExtrapolationException(TransformException):
    """The time asked for is outside the data of an edge on the way."""


class InvalidArgumentException(TransformException):
    """A frame name is empty or starts with a slash."""


class TimeoutException(TransformException):
    """Something waited for did not come in time."""
