"""Work on a thread of its own, some of which hangs."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from hearing_hands_ros.predictors.worker import HangsError, Worker


class Office:
    """A worker that is checked now and then, and work that lasts until it is let go."""

    def __init__(self, most_hanging=2):
        self.worker = Worker("office", most_hanging)
        self.gates = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._check)
        self._thread.start()
        self.worker.start()

    def _check(self):
        while not self._ended.wait(0.01):
            self.worker.check()

    def do(self, work, *arguments, allowed_s=5.0, urgent=False):
        return self.worker.submit(work, *arguments, allowed_s=allowed_s, urgent=urgent)

    def hang(self, allowed_s=5.0):
        """Submit work that lasts until its gate is opened, and wait until it is begun."""
        begun, gate = threading.Event(), threading.Event()
        self.gates.append(gate)

        def work():
            begun.set()
            gate.wait()
            return "late"

        future = self.do(work, allowed_s=allowed_s)
        assert begun.wait(5.0)
        return future, gate

    def close(self):
        for gate in self.gates:
            gate.set()
        self.worker.stop()
        self._ended.set()
        self._thread.join()


@pytest.fixture
def office():
    office = Office()
    yield office
    office.close()


def wait_until(condition):
    until_s = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.005)


def test_work_is_done_in_order_and_what_is_urgent_first(office):
    done = []
    _, gate = office.hang()
    futures = [office.do(done.append, n) for n in range(3)] + [office.do(done.append, n, urgent=True) for n in (7, 8)]
    gate.set()
    for future in futures:
        future.result(5.0)
    assert done == [7, 8, 0, 1, 2]


def test_what_work_raises_comes_back_and_the_thread_goes_on(office):
    with pytest.raises(ZeroDivisionError):
        office.do(lambda: 1 / 0).result(5.0)
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        office.do(lambda: exit(3)).result(5.0)
    assert office.do(lambda: 5).result(5.0) == 5
    assert office.worker.hanging == 0


def test_work_that_hangs_is_given_up_and_what_comes_of_it_late_is_thrown_away(office):
    late, gate = office.hang(allowed_s=0.05)
    with pytest.raises(HangsError, match=r"took longer than 0.05 s and was given up"):
        late.result(5.0)
    assert office.worker.hanging == 1
    assert office.do(threading.current_thread).result(5.0).is_alive()
    gate.set()
    wait_until(lambda: office.worker.hanging == 0)
    assert office.do(lambda: 5).result(5.0) == 5
    assert isinstance(late.exception(), HangsError)


def test_when_too_many_hang_all_is_refused_until_one_returns(office):
    (_, gate), _ = (office.hang(allowed_s=0.05) for _ in range(2))
    waiting = office.do(lambda: 5)
    for future in (waiting, office.do(lambda: 5)):
        with pytest.raises(HangsError, match="was not begun: 2 before it hang, the most that may"):
            future.result(5.0)
    assert office.worker.is_stuck
    gate.set()
    wait_until(lambda: not office.worker.is_stuck)
    assert office.do(lambda: 5).result(5.0) == 5


def test_stopping_finishes_what_runs_cancels_what_waits_and_takes_nothing_more(office):
    running, gate = office.hang()
    waiting = office.do(lambda: 5)
    threading.Timer(0.1, gate.set).start()
    office.worker.stop()
    assert running.result(0.0) == "late"
    with pytest.raises(CancelledError):
        waiting.result(0.0)
    assert office.do(lambda: 5) is None
    office.worker.start()
    assert office.do(lambda: 5).result(5.0) == 5


def test_stopping_does_not_wait_for_what_hangs(office):
    hangs, _ = office.hang(allowed_s=0.1)
    begun_s = time.monotonic()
    office.worker.stop()
    assert time.monotonic() - begun_s < 2.0
    with pytest.raises(HangsError):
        hangs.result(0.0)
    office.worker.start()
    assert office.do(lambda: 5).result(5.0) == 5


def test_work_of_many_threads_is_all_done_once(office):
    done = []
    threads = [threading.Thread(target=lambda: [office.do(done.append, n) for n in range(200)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(done) == 1000)
    assert sorted(done) == sorted(list(range(200)) * 5)
