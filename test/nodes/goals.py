"""Goals of predict_sound, sent as a planner sends them."""

from hearing_hands_ros.action import PredictSound
from rclpy.action import ActionClient
from ros_domain import wait_until


class Goal:
    """A goal that was sent; `accepted`, and `result()` where it was."""

    def __init__(self, ros, candidates, on_feedback=lambda feedback: None):
        self.feedback = []

        def take(message):
            self.feedback.append(message.feedback)
            on_feedback(message.feedback)

        self._ros = ros
        self._client = ActionClient(ros.probe, PredictSound, "predict_sound")
        assert self._client.wait_for_server(10.0)
        sent = self._client.send_goal_async(PredictSound.Goal(candidates=candidates), feedback_callback=take)
        self._handle = wait_done(sent)
        self.accepted = self._handle.accepted
        self._done = self._handle.get_result_async() if self.accepted else None

    @property
    def is_done(self):
        return self._done.done()

    def cancel(self):
        return wait_done(self._handle.cancel_goal_async())

    def result(self, timeout_s=30.0):
        """Return (status, result)."""
        answer = wait_done(self._done, timeout_s)
        self._ros.on_its_thread(self._client.destroy)
        return answer.status, answer.result


def wait_done(future, timeout_s=10.0):
    wait_until(future.done, timeout_s, lambda: "an answer")
    return future.result()
