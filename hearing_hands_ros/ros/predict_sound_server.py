"""The PredictSound action: many candidates in, predictions out, worked on away from the executor's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse

from hearing_hands_ros.action import PredictSound
from hearing_hands_ros.msg import HandTrajectory, SoundPrediction

BATCH = 8  # candidates predicted in one piece of work, between two reports of progress

Submit = Callable[[Callable[[], None]], "Future[None] | None"]
Predict = Callable[[Sequence[HandTrajectory], int], list[SoundPrediction]]


@dataclass(eq=False)
class _Job:
    """A goal that was accepted and has no result yet."""

    goal: Any
    arrived_ns: int
    result: Any

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
        submit: Puts a function at the end of the worker thread's queue; returns None when the node is not active.
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

    def end_all(self, reason: str) -> None:
        """End every goal with what it has so far; the worker must have stopped."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.result.message = f"aborted after {job.progress}: {reason}"
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
        if is_idle and self._submit(self._work) is None:
            self.end_all("the node is not active any more")

    def _work(self) -> None:
        """Predict one batch of the first goal; on the worker thread."""
        with self._lock:
            ended = [job for job in self._jobs if job.goal.is_cancel_requested]
            job = next((job for job in self._jobs if job not in ended), None)
        for cancelled in ended:
            cancelled.result.message = f"cancelled after {cancelled.progress}"
        if job is not None and self._is_through(job):
            ended.append(job)
        with self._lock:
            self._jobs = [job for job in self._jobs if job not in ended]
            is_idle = not self._jobs
        for job in ended:
            self._end(job)
        if not is_idle:
            self._submit(self._work)

    def _is_through(self, job: _Job) -> bool:
        """Predict the next batch of a goal; true when it was the last one or could not be predicted."""
        candidates, done = job.goal.request.candidates, job.result.predictions
        try:
            done.extend(self._predict_batch(candidates[len(done) : len(done) + BATCH], len(done), job.arrived_ns))
        except RuntimeError as error:
            job.result.message = str(error)
            self._node.get_logger().error(f"predict_sound: {error}")
            return True
        job.goal.publish_feedback(PredictSound.Feedback(done=len(done), total=len(candidates)))
        job.result.success = len(done) == len(candidates)
        return bool(job.result.success)

    def _predict_batch(self, batch: Sequence[HandTrajectory], first: int, arrived_ns: int) -> list[SoundPrediction]:
        """Predict candidates `first` and following; one by one where they cannot be predicted together.

        Raises:
            RuntimeError: One of them cannot be predicted; names it by its number.
        """
        try:
            return self._predict(batch, arrived_ns)
        except Exception as error:
            if len(batch) == 1:
                text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                raise RuntimeError(f"candidate {first}: {text}") from error
        return [p for i, one in enumerate(batch) for p in self._predict_batch([one], first + i, arrived_ns)]

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
