"""Conditions of actions."""

from launch.core import normalize, perform


class Condition:
    """Evaluates to true or false at run time."""

    def evaluate(self, context) -> bool:
        raise NotImplementedError


class IfCondition(Condition):
    """True when the text says so."""

    def __init__(self, predicate_expression) -> None:
        self._expression = normalize(predicate_expression)

    def evaluate(self, context) -> bool:
        text = perform(context, self._expression).strip().lower()
        if text in ("true", "1"):
            return True
        if text in ("false", "0"):
            return False
        raise ValueError(f"valid condition expressions are 'true', 'false', '1' and '0', got '{text}'")


class UnlessCondition(IfCondition):
    """True when the text says false."""

    def evaluate(self, context) -> bool:
        return not super().evaluate(context)
