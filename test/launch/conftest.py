"""A private ROS domain, an install prefix made of the checkout, and the stand-in of launch."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / "test" / "launch_stand_in"


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """Our `launch` and `launch_ros`, also where ROS's own are: the tests look inside its processes."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("launch", "launch_ros")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "hearing_hands_ros.ros.launching", raising=False)
    monkeypatch.syspath_prepend(str(STAND_IN))


@pytest.fixture
def prefix(tmp_path, monkeypatch, private_domain):
    """An ament prefix as colcon makes it, with this Python and this checkout in it."""
    from hearing_hands_ros.graph import NODES

    root = tmp_path / "install"
    (root / "share" / "ament_index" / "resource_index" / "packages").mkdir(parents=True)
    (root / "share" / "ament_index" / "resource_index" / "packages" / "hearing_hands_ros").touch()
    (root / "share" / "hearing_hands_ros").symlink_to(ROOT)
    (root / "lib" / "hearing_hands_ros").mkdir(parents=True)
    for node in NODES:
        script = root / "lib" / "hearing_hands_ros" / node
        script.write_text(f"#!{sys.executable}\nfrom hearing_hands_ros.nodes.{node} import main\n\nmain()\n")
        script.chmod(0o755)
    for name, value in private_domain.items():
        monkeypatch.setenv(name, value)
    before = [path for path in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if path]
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join([str(root), *before, sys.prefix]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return root
