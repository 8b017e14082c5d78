"""The lifecycle services of a node under test, called as `ros2 lifecycle` calls them."""

from __future__ import annotations

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from ros_domain import RosDomain, wait_until


class Lifecycle:
    """Changes the state of one node."""

    def __init__(self, ros: RosDomain, node: str) -> None:
        self._change = ros.probe.create_client(ChangeState, f"{node}/change_state")
        self._get = ros.probe.create_client(GetState, f"{node}/get_state")
        self.node = node

    def __call__(self, transition: str, timeout_s: float = 10.0) -> bool:
        """Ask for a transition such as 'deactivate'; return whether it succeeded."""
        request = ChangeState.Request(transition=Transition(label=transition))
        return bool(self._call(self._change, request, timeout_s).success)

    def state(self, timeout_s: float = 10.0) -> str:
        """Return the state in which the node is, such as 'inactive'."""
        return str(self._call(self._get, GetState.Request(), timeout_s).current_state.label)

    def wait_for(self, state: str, timeout_s: float = 15.0) -> None:
        """Wait until the node is in a state."""
        wait_until(lambda: self.state() == state, timeout_s, lambda: f"{self.node} {state}, is {self.state()}")

    def _call(self, client, request, timeout_s):
        assert client.wait_for_service(timeout_s), f"no service {client.srv_name}"
        answer = client.call_async(request)
        wait_until(answer.done, timeout_s, lambda: f"answer of {client.srv_name}")
        return answer.result()
