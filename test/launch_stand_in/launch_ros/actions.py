"""The Node action."""

import re
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml
from launch.actions import ExecuteProcess
from launch.core import Substitution, normalize, perform
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import ExecutableInPackage


class Node(ExecuteProcess):
    """A process that is a ROS node."""

    def __init__(
        self, *, executable, package=None, name=None, namespace=None, exec_name=None, parameters=None, remappings=None,
        ros_arguments=None, arguments=None, **kwargs,
    ) -> None:  # fmt: skip
        if parameters is not None and not isinstance(parameters, list):
            raise TypeError(f"Node 'parameters' wanted a list, got {type(parameters)}")
        for given, key in ((exec_name, "exec_name"), (ros_arguments, "ros_arguments")):
            if given is not None:
                raise NotImplementedError(f"the stand-in has no {key}")
        if package is None or name is None or namespace is None:
            raise NotImplementedError("the stand-in wants package, name and namespace")
        # All words are made here but for the file names of parameters, which come with `execute`.
        super().__init__(
            cmd=[ExecutableInPackage(package=package, executable=executable), *(arguments or [])], **kwargs
        )
        self.name, self.namespace = normalize(name), normalize(namespace)
        self.parameters = [check(layer) for layer in parameters or []]
        self.remappings = [(normalize(a), normalize(b)) for a, b in remappings or []]
        self.evaluated: list = []

    def execute(self, context):
        name, namespace = perform(context, self.name), perform(context, self.namespace)
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError(f"invalid node name '{name}'")
        absolute = namespace if namespace.startswith("/") else "/" + namespace
        if absolute != "/" and not re.fullmatch(r"(/[A-Za-z_]\w*)+", absolute):
            raise ValueError(f"invalid namespace '{absolute}'")
        words = ["--ros-args", "-r", f"__node:={name}"]
        if absolute != "/":
            words += ["-r", f"__ns:={absolute}"]
        full_name = f"{absolute.rstrip('/')}/{name}"
        for layer in self.parameters:
            if isinstance(layer, dict):
                values = {key: evaluate(context, value) for key, value in layer.items()}
                self.evaluated.append(values)
                words += ["--params-file", write(full_name, values)]
            else:
                path = perform(context, layer)
                if not Path(path).is_file():
                    raise FileNotFoundError(f"Parameter file path is not a file: {path}")  # a warning in the real one
                self.evaluated.append(Path(path))
                words += ["--params-file", path]
        for source, target in self.remappings:
            words += ["-r", f"{perform(context, source)}:={perform(context, target)}"]
        self.cmd += [normalize(word) for word in words]
        return super().execute(context)


def check(layer):
    """What parameters may be: files, or dictionaries of texts, numbers, substitutions and lists of one type."""
    if not isinstance(layer, dict):
        return normalize(layer)
    for key, value in layer.items():
        if not isinstance(key, str):
            raise TypeError(f"parameter name wanted a text, got {key!r}")
        if isinstance(value, (list, tuple)):
            if len({type(item) for item in value}) > 1:
                raise TypeError(f"parameter '{key}' wanted a list of one type, got {value!r}")
        elif not isinstance(value, (str, bool, int, float, Substitution, ParameterValue)):
            raise TypeError(f"parameter '{key}': unexpected type {type(value)}")
    return layer


def evaluate(context, value):
    """As launch_ros: a bare text is read as YAML, so '12' becomes a number; a ParameterValue keeps its type."""
    if isinstance(value, ParameterValue):
        return value.value_type(perform(context, value.value) if value.value_type is str else value.value)
    if isinstance(value, (str, Substitution)):
        return yaml.safe_load(perform(context, value))
    if isinstance(value, (list, tuple)):
        return [evaluate(context, item) for item in value]
    return value


def write(full_name: str, values: dict) -> str:
    with NamedTemporaryFile(mode="w", prefix="launch_params_", delete=False) as file:
        yaml.safe_dump({full_name: {"ros__parameters": values}}, file)
        return file.name
