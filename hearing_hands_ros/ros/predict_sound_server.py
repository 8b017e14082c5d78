"""The PredictSound action: many candidates in, predictions out, worked on away from the executor's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse

from hearing_hands_ros.action import PredictSound
from hearing_hands_ros.msg import HandTrajectory, SoundPrediction

BATCH = 8  # candidates predicted between two reports of progress


class PredictSoundServer:
    """Serves `predict_sound`.

    A goal is handed to a worker thread when it is accepted. Only when the worker is through is the goal executed, which
    then has nothing to do but to return the result; so the executor never waits.

    Args:
        node: The node that serves.
        submit: Runs a function on the worker thread, or returns False when the node is not active.
        predict: Predicts a batch; raises ValueError (who, wanted, got) for a candidate it refuses.
    """

    def __init__(
        self,
        node: Any,
        submit: Callable[[Callable[[], None]], bool],
        predict: Callable[[Sequence[HandTrajectory]], list[SoundPrediction]],
    ) -> None:
        self._node = node
        self._submit = submit
        self._predict = predict
        self._server = ActionServer(
            node,
            PredictSound,
            "predict_sound",
            execute_callback=self._return_result,
            goal_callback=self._accept,
            handle_accepted_callback=self._start,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
        )
        self._results: dict[bytes, Any] = {}

    def destroy(self) -> None:
        """Stop serving."""
        self._server.destroy()

    def _accept(self, goal: Any) -> GoalResponse:
        if not self._node.is_active:
            self._node.get_logger().warning("predict_sound: goal rejected, the node is not active")
            return GoalResponse.REJECT
        if not goal.candidates:
            self._node.get_logger().warning("predict_sound: goal rejected, wants one or more candidates, got none")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _start(self, goal: Any) -> None:
        if not self._submit(lambda: self._work(goal)):
            self._results[self._key(goal)] = PredictSound.Result(
                message="predict_sound: the node is not active any more"
            )
            goal.execute()

    def _work(self, goal: Any) -> None:
        """Predict all candidates; on the worker thread."""
        candidates = goal.request.candidates
        result = PredictSound.Result(success=True)
        for first in range(0, len(candidates), BATCH):
            if goal.is_cancel_requested:
                result.success, result.message = False, f"cancelled after {first} of {len(candidates)} candidates"
                break
            try:
                result.predictions.extend(self._predict(candidates[first : first + BATCH]))
            except Exception as error:  # noqa: BLE001  (a predictor may fail in any way; the goal's owner must hear of it)
                text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                result.success = False
                result.message = f"candidates {first} to {min(first + BATCH, len(candidates)) - 1}: {text}"
                self._node.get_logger().error(f"predict_sound: {result.message}")
                break
            goal.publish_feedback(PredictSound.Feedback(done=len(result.predictions), total=len(candidates)))
        self._results[self._key(goal)] = result
        goal.execute()

    def _return_result(self, goal: Any) -> Any:
        result = self._results.pop(self._key(goal))
        if goal.is_cancel_requested:
            goal.canceled()
        elif result.success:
            goal.succeed()
        else:
            goal.abort()
        return result

    @staticmethod
    def _key(goal: Any) -> bytes:
        return bytes(goal.goal_id.uuid)
