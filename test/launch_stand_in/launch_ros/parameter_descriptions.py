"""Parameters with a type."""

from launch.core import Substitution


class ParameterValue:
    """A value that is not to be guessed from its text."""

    def __init__(self, value, *, value_type=None) -> None:
        if value_type not in (None, str, bool, int, float):
            raise NotImplementedError(f"the stand-in has no value_type {value_type}")
        if not isinstance(value, (str, bool, int, float, Substitution)):
            raise TypeError(f"ParameterValue got {type(value)}")
        self.value, self.value_type = value, value_type or type(value)
