"""As strict as the binding of tf2: its own exceptions, rclpy's times only, no keyword that it does not have."""

from rclpy.duration import Duration
from rclpy.time import Time

from hearing_hands_ros.ros import tf2_exceptions
from hearing_hands_ros.ros.tf2_core import TransformTree
from hearing_hands_ros.ros.tf2_messages import edge_of, message_of

TEN_SECONDS = Duration(seconds=10)


class TransformException(Exception): ...  # noqa: N818


class ConnectivityException(TransformException): ...


class ExtrapolationException(TransformException): ...


class InvalidArgumentException(TransformException): ...


class LookupException(TransformException): ...


class TimeoutException(TransformException): ...


class BufferCore:
    def __init__(self, cache_time=TEN_SECONDS):
        _want(cache_time, Duration)
        self.__tree = TransformTree(cache_time.nanoseconds)

    def set_transform(self, transform, authority):
        _want(authority, str)
        self.__tree.insert(*edge_of(transform), authority, False)

    def set_transform_static(self, transform, authority):
        _want(authority, str)
        self.__tree.insert(*edge_of(transform), authority, True)

    def lookup_transform_core(self, target_frame, source_frame, time):
        _want(target_frame, str)
        _want(source_frame, str)
        _want(time, Time)
        try:
            found = self.__tree.lookup(target_frame, source_frame, time.nanoseconds)
        except tf2_exceptions.TransformException as error:
            raise globals()[type(error).__name__](str(error)) from None
        return message_of(target_frame, source_frame, found)

    def can_transform_core(self, target_frame, source_frame, time):
        _want(time, Time)
        return self.__tree.can_transform(target_frame, source_frame, time.nanoseconds)

    def clear(self):
        self.__tree.clear()

    def all_frames_as_yaml(self):
        return self.__tree.as_yaml()


def _want(value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"tf2_py: wanted {kind.__name__}, got {value!r}")
