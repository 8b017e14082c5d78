"""A full disk under the comparator while it records a calibration."""

import resource
import time

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.srv import Calibrate
from listening import World
from ros_domain import wait_until

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
TOUCHES = 4


@pytest.fixture
def world(ros_domain, tmp_path):
    made = World(ros_domain, ready=WARN, calibration="", alpha=0.2, calibration_folder=str(tmp_path / "calibration"))
    yield made
    made.stop()


def test_a_calibration_that_finds_no_room_is_an_error_and_the_next_one_is_saved(world, tmp_path):
    client = world.ros.probe.create_client(Calibrate, "/sound_comparator/calibrate")
    assert client.wait_for_service(10.0)

    def calibrate():
        answer = client.call_async(Calibrate.Request(touches=TOUCHES, name="desk"))
        wait_until(answer.done, 10.0, lambda: "an answer of calibrate")
        assert answer.result().accepted, answer.result().message
        since = len(world.diagnostics.statuses)
        for index in range(2 * TOUCHES):  # one that is not heard well does not count
            world.verdict(world.touch("stone", index=index % 5))
            time.sleep(0.3)
            if any("calibrat" not in status.message for status in world.diagnostics.statuses[since + 2 :]):
                break
        return since

    pid, (_, most) = world.comparator.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    since = calibrate()
    world.diagnostics.wait(ERROR, "calibrate: [Errno 27] File too large", since=since)
    assert not any((tmp_path / "calibration").glob("*")), "half a file is left"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
    calibrate()
    wait_until((tmp_path / "calibration" / "desk.yaml").is_file, 5.0, lambda: f"a file; {world.comparator.log}")
    world.diagnostics.wait(OK, since=len(world.diagnostics.statuses))
    assert world.comparator.is_running
