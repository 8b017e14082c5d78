"""Actions that start nothing."""

from launch.core import Action, Substitution, normalize, perform


class DeclareLaunchArgument(Action):
    """An argument of the launch file."""

    def __init__(self, name: str, *, default_value=None, description=None, choices=None, **kwargs) -> None:
        super().__init__(**kwargs)
        if not isinstance(name, str):
            raise TypeError(f"name wanted a text, got {type(name)}")
        if choices is not None:
            if len(choices) == 0:
                raise RuntimeError("Provided choices arg is empty. Use None to ignore the choice list.")
            constant = default_value is not None and not isinstance(default_value, (Substitution, list))
            if constant and default_value not in choices:
                raise RuntimeError(f'Provided default_value "{default_value}" is not in provided choices "{choices}".')
        self.name = name
        self.default_value = None if default_value is None else normalize(default_value)
        self.description = "no description given" if description is None else description
        self.choices = choices

    def execute(self, context) -> None:
        given = context.launch_configurations
        if self.name not in given:
            if self.default_value is None:
                raise RuntimeError(f'Required launch argument "{self.name}" was not provided.')
            given[self.name] = perform(context, self.default_value)
        if self.choices is not None and given[self.name] not in self.choices:
            raise RuntimeError(
                f'Argument "{self.name}" provided value "{given[self.name]}" is not valid. '
                f"Valid options are: {self.choices}"
            )


class OpaqueFunction(Action):
    """Calls a Python function with the context; what it returns is visited."""

    def __init__(self, *, function, args=None, kwargs=None, **action_kwargs) -> None:
        super().__init__(**action_kwargs)
        if not callable(function):
            raise TypeError(f"OpaqueFunction expected a callable for 'function', got '{type(function)}'")
        if args is not None and not isinstance(args, (list, tuple)):
            raise TypeError(f"OpaqueFunction expected an iterable for 'args', got '{type(args)}'")
        self._call = function, list(args or []), dict(kwargs or {})

    def execute(self, context):
        function, args, kwargs = self._call
        return function(context, *args, **kwargs)


class Shutdown(Action):
    """Ends the launch."""

    def __init__(self, *, reason="reason not given", **kwargs) -> None:
        super().__init__(**kwargs)
        self.reason = normalize(reason)

    def execute(self, context) -> None:
        context.service.shutdown(perform(context, self.reason))
