"""How the recorder is started."""

import pytest

from hearing_hands_ros.graph import Options, share_directory
from hearing_hands_ros.record.graph import record_graph


def test_arguments_become_parameters_of_the_recorder(tmp_path):
    scene, parameters = tmp_path / "scene", tmp_path / "robot.yaml"
    scene.mkdir()
    parameters.write_text("")
    options = Options(
        out="~/bag", scene=str(scene), params_file=str(parameters), topics=" /a  b ", images="none", namespace="/left/"
    )
    (spec,) = record_graph(options, share_directory())
    assert (spec.executable, spec.namespace, spec.respawn) == ("bag_recorder", "left", False)
    assert spec.layers[:-1] == (share_directory() / "config" / "bag_recorder.yaml", parameters)
    given = spec.layers[-1]
    assert given["topics"] == ["/a", "b"]
    assert (given["scene"], given["params_file"], given["images"]) == (str(scene), str(parameters), "none")
    assert given["out"].endswith("/bag")
    assert "~" not in given["out"]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="argument 'params_file': wanted a file, found none at"):
        record_graph(Options(params_file=str(tmp_path / "robot.yaml")), share_directory())
