"""Where packages are."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch.core import Substitution, normalize, perform


class FindPackageShare(Substitution):
    """A package's share folder."""

    def __init__(self, package) -> None:
        self._package = normalize(package)

    def perform(self, context) -> str:
        package = perform(context, self._package)
        return str(Path(get_package_prefix(package)) / "share" / package)


class ExecutableInPackage(Substitution):
    """Path of an executable in lib/<package>."""

    def __init__(self, executable, package) -> None:
        self._executable, self._package = normalize(executable), normalize(package)

    def perform(self, context) -> str:
        package, executable = perform(context, self._package), perform(context, self._executable)
        path = Path(get_package_prefix(package)) / "lib" / package / executable
        if not path.is_file() or not os.access(path, os.X_OK):
            raise LookupError(f"executable '{executable}' not found on the libexec directory '{path.parent}'")
        return str(path)
