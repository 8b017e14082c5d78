"""config/security permits the real graph what it uses, and nothing else."""

from xml.etree import ElementTree

import pytest

pytest.importorskip("torch", reason="checkpoints need PyTorch")

from hearing_hands_ros.msg import Audio
from rclpy.action import get_action_server_names_and_types_by_node
from ros_domain import ROOT, wait_until
from sensor_msgs.msg import Image
from small_compact import DIM, save_small_compact
from up import Up
from worlds import save_table

POLICY = ROOT / "config" / "security" / "policy.xml"
NODES = ("scene_server", "hand_tracker", "sound_generator", "microphone", "sound_comparator", "spectrogram_viewer")
INCLUDE = "{http://www.w3.org/2001/XInclude}include"
# Of the schema of SROS 2: attributes that must be there, those that may, and what an element may hold.
SCHEMA = {
    "policy": ({"version"}, set(), {"enclaves"}),
    "enclaves": (set(), set(), {"enclave"}),
    "enclave": ({"path"}, set(), {"profiles"}),
    "profiles": (set(), {"type"}, {"profile"}),
    "profile": ({"ns", "node"}, set(), {"topics", "services", "actions"}),
    "topics": (set(), {"publish", "subscribe"}, {"topic"}),
    "services": (set(), {"reply", "request"}, {"service"}),
    "actions": (set(), {"call", "execute"}, {"action"}),
    "topic": (set(), set(), set()),
    "service": (set(), set(), set()),
    "action": (set(), set(), set()),
}


def read_policy(path=POLICY):
    """The policy with what it includes in place."""
    root = ElementTree.parse(path).getroot()  # noqa: S314  (our own file)
    for profile in root.iter("profile"):
        for include in profile.findall(INCLUDE):
            assert include.get("xpointer") == "xpointer(/profile/*)"
            profile.remove(include)
            profile.extend(ElementTree.parse(path.parent / include.get("href")).getroot())  # noqa: S314
    return root


def permitted(enclave):
    """What an enclave permits: (kind, verb) to full names."""
    (profile,) = read_policy().findall(f"enclaves/enclave[@path='/hearing_hands_ros/{enclave}']/profiles/profile")
    assert (profile.get("ns"), profile.get("node")) == ("/", enclave)
    names = {}
    for rules in profile:
        for verb, qualifier in rules.attrib.items():
            assert qualifier == "ALLOW"
            full = {rule.text.replace("~", f"/{enclave}") for rule in rules}
            names.setdefault((rules.tag, verb), set()).update(n if n.startswith("/") else f"/{n}" for n in full)
    return names


def used(probe, node):
    """What a node has in the graph, in the words of the policy; what makes up an action is left to the action."""

    def names(found):
        return {name for name, _ in found if "/_action/" not in name}

    helpers = [n for n in probe.get_node_names() if n.startswith("transform_listener_impl_")]
    have = {("topics", "subscribe"): set()}
    for each in (node, *(helpers if node == "hand_tracker" else ())):  # tf2_ros has no helper
        have["topics", "subscribe"] |= names(probe.get_subscriber_names_and_types_by_node(each, "/"))
    have["topics", "publish"] = names(probe.get_publisher_names_and_types_by_node(node, "/"))
    have["services", "reply"] = names(probe.get_service_names_and_types_by_node(node, "/"))
    have["services", "request"] = names(probe.get_client_names_and_types_by_node(node, "/"))
    have["actions", "execute"] = names(get_action_server_names_and_types_by_node(probe, node, "/"))
    return {rule: found for rule, found in have.items() if found}


@pytest.fixture(scope="module")
def graph(shared_ros_domain, small_encoders, tmp_path_factory):
    """The whole graph with everything turned on that makes topics, and somebody who speaks and looks."""
    ros, folder = shared_ros_domain, tmp_path_factory.mktemp("graph")
    save_table(folder / "scene")
    save_small_compact(folder / "model", small_encoders(DIM))
    (folder / "stream.yaml").write_text("/**/sound_generator: {ros__parameters: {stream: true}}")
    words = {
        "scene": folder / "scene", "model": folder / "model", "params-file": folder / "stream.yaml",
        "device": "cpu", "microphone": "topic:audio",
    }  # fmt: skip
    up = Up(ros, "--use-sim-time", *(word for key, value in words.items() for word in (f"--{key}", value)))
    ros.talk(Audio, "audio")
    for topic in ("spectrogram/image", "comparison/picture"):
        ros.listen(Image, topic)
    yield ros
    up.close()


def test_the_policy_is_as_the_schema_of_sros2_wants_it():
    def check(element):
        needed, optional, inside = SCHEMA[element.tag]
        assert needed <= set(element.attrib) <= needed | optional, element.tag
        assert {child.tag for child in element} <= inside, element.tag
        assert len(element) or not inside, element.tag
        assert inside or element.text.strip() == element.text != "", element.tag
        for child in element:
            check(child)

    policy = read_policy()
    assert (policy.tag, policy.get("version")) == ("policy", "0.2.0")
    check(policy)
    paths = [enclave.get("path") for enclave in policy.iter("enclave")]
    assert paths == [f"/hearing_hands_ros/{name}" for name in (*NODES, "operator")]


def test_each_node_may_do_what_it_does_and_no_more(graph):
    probe = graph.probe

    def differences():
        lines = []
        for node in NODES:
            may, does = permitted(node), used(probe, node) if node in probe.get_node_names() else {}
            for rule in sorted(may.keys() | does.keys()):
                if lacking := does.get(rule, set()) - may.get(rule, set()):
                    lines.append(f"{node}: the policy lacks {rule} of {sorted(lacking)}")
                if idle := may.get(rule, set()) - does.get(rule, set()):
                    lines.append(f"{node}: nobody has {rule} of {sorted(idle)}")
        return lines

    wait_until(lambda: not differences(), 45.0, lambda: "\n".join(differences()))
    enclaves = {name: enclave for name, _, enclave in probe.get_node_names_and_namespaces_with_enclaves()}
    assert [enclaves[node] for node in NODES] == [f"/hearing_hands_ros/{node}" for node in NODES]

    may, graph_has = permitted("operator"), [used(probe, node) for node in NODES]
    for rule, counterpart in (
        (("topics", "subscribe"), ("topics", "publish")),
        (("services", "request"), ("services", "reply")),
        (("actions", "call"), ("actions", "execute")),
    ):
        offered = set().union(*(have.get(counterpart, set()) for have in graph_has))
        assert may[rule] <= offered | {"/clock", "/tf"}, rule
