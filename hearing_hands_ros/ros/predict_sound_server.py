"""The PredictSound action: many candidates in, predictions out, worked on away from the executor's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse

from hearing_hands_ros.action import PredictSound
from hearing_hands_ros.msg import HandTrajectory, SoundPrediction
from hearing_hands_ros.predictors.worker import HangsError

BATCH = 8  # candidates predicted in one piece of work, between two reports of progress

Submit = Callable[..., "Future[list[SoundPrediction]] | None"]
Predict = Callable[[Sequence[HandTrajectory], int], list[SoundPrediction]]


@dataclass(eq=False)
class _Job:
    """A goal that was accepted and has no result yet."""

    goal: Any
    arrived_ns: int
    result: Any
    at_once: int = BATCH

    @property
    def batch(self) -> list[HandTrajectory]:
        """Candidates that are next."""
        done = len(self.result.predictions)
        return list(self.goal.request.candidates[done : done + self.at_once])

    @property
    def progress(self) -> str:
        return f"{len(self.result.predictions)} of {len(self.goal.request.candidates)} candidates"


class PredictSoundServer:
    """Serves `predict_sound`, one goal after the other.

    A batch is one piece of work for the worker thread, and the next one goes to the end of its queue: what else is
    waiting there, a touch for instance, waits for one batch at most. Only when the worker is through with a goal is it
    executed, which then has nothing to do but to return the result; so the executor never waits.

    Args:
        node: The node that serves.
        submit: `submit(predict, batch, arrived_ns)` puts the call at the end of the worker thread's queue; returns None
            when the node is not active.
        predict: Predicts a batch for a goal that arrived at a time (ns, node clock); raises ValueError (who, wanted,
            got) for a candidate it refuses.
        most: Returns how many goals may be worked on or wait.

    Attributes:
        goals: How many were accepted.
    """

    def __init__(self, node: Any, submit: Submit, predict: Predict, most: Callable[[], int]) -> None:
        self.goals = 0
        self._node, self._submit, self._predict, self._most = node, submit, predict, most
        self._jobs: list[_Job] = []  # the first one is worked on
        self._lock = Lock()  # between "was it the last?" and what follows from that
        self._results: dict[bytes, Any] = {}
        self._server = ActionServer(
            node,
            PredictSound,
            "predict_sound",
            execute_callback=self._return_result,
            goal_callback=self._accept,
            handle_accepted_callback=self._start,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )

    def end_all(self) -> None:
        """End every goal with what it has so far, since the node was deactivated and the worker works no more."""
        with self._lock:
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.result.message = f"aborted after {job.progress}: the node was deactivated"
            self._end(job)

    def _accept(self, goal: Any) -> GoalResponse:
        refusal = ""
        if not self._node.is_active:
            refusal = "the node is not active"
        elif not goal.candidates:
            refusal = "wants one or more candidates, got none"
        elif len(self._jobs) >= self._most():
            refusal = f"wants at most {self._most()} goals at a time, got one more"
        if refusal:
            self._node.get_logger().warning(f"predict_sound: goal rejected, {refusal}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _start(self, goal: Any) -> None:
        job = _Job(goal, self._node.get_clock().now().nanoseconds, PredictSound.Result())
        self.goals += 1
        with self._lock:
            self._jobs.append(job)
            is_idle = len(self._jobs) == 1
        if is_idle:
            self._go_on()

    def _go_on(self, through: _Job | None = None) -> None:
        """End the goal that is through and those that are cancelled, and ask for the next batch of the first other."""
        with self._lock:
            cancelled = [job for job in self._jobs if job is not through and job.goal.is_cancel_requested]
            self._jobs = [job for job in self._jobs if job is not through and job not in cancelled]
            job = self._jobs[0] if self._jobs else None
        for each in cancelled:
            each.result.message = f"cancelled after {each.progress}"
        for each in (*([through] if through else []), *cancelled):
            self._end(each)
        if job is None:
            return
        future = self._submit(self._predict, job.batch, job.arrived_ns)
        if future is None:
            self.end_all()
        else:
            future.add_done_callback(partial(self._on_done, job))

    def _on_done(self, job: _Job, future: Future[list[SoundPrediction]]) -> None:
        """Take what came of a batch."""
        if future.cancelled():
            return  # the node was deactivated, which ends all goals
        error, done = future.exception(), job.result.predictions
        if error is None:
            done.extend(future.result())
            job.goal.publish_feedback(PredictSound.Feedback(done=len(done), total=len(job.goal.request.candidates)))
            job.result.success = len(done) == len(job.goal.request.candidates)
        elif len(job.batch) > 1 and not isinstance(error, HangsError):
            job.at_once = 1  # all that is left one by one: to have what can be had, and to name the one that cannot
        else:
            job.result.message = f"candidate {len(done)}: {error_text(error)}"
            self._node.get_logger().error(f"predict_sound: {job.result.message}")
        self._go_on(job if job.result.success or job.result.message else None)

    def _end(self, job: _Job) -> None:
        self._results[bytes(job.goal.goal_id.uuid)] = job.result
        # A goal changes its state on the executor's thread only, where requests to cancel it come in too.
        self._node.executor.create_task(job.goal.execute)

    def _return_result(self, goal: Any) -> Any:
        result = self._results.pop(bytes(goal.goal_id.uuid))
        if result.success:  # also where the request to cancel it came too late
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result


def error_text(error: BaseException) -> str:
    """What an error says; with its kind where it does not itself say who wanted what."""
    return str(error) if isinstance(error, (ValueError, HangsError)) else f"{type(error).__name__}: {error}"
