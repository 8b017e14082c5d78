import pytest

from hearing_hands_ros.sequence import SequenceConfig


def test_eight_seconds_have_the_published_lengths():
    c = SequenceConfig()
    assert c.samples(8) == 128_000
    assert c.mel_frames(8) == 500
    assert c.mel_rate_hz == 62.5
    assert c.latent_frames(8) == 250
    assert c.latent_rate_hz == 31.25
    assert c.hand_frames(8) == 240
    assert c.view_frames(8) == 32


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_rate_hz", 0),
        ("hop", 0),
        ("hop", 2048),
        ("hop", 255),
        ("window", -1),
        ("bins", 1.5),
        ("high_hz", 8001.0),
        ("high_hz", 0.0),
        ("low_hz", -1.0),
        ("hand_rate_hz", float("nan")),
    ],
)
def test_impossible_field_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        SequenceConfig(**{field: value})
