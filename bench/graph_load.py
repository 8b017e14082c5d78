"""The whole graph for ten minutes, with 48 kHz stereo: lost samples, the verdicts' latency, memory of the nodes.

    .venv/bin/python bench/graph_load.py [--minutes 10]

A hand touches the demo's bench in ever new places, in real time, and about every fourth touch is odd. All seven nodes
run as processes of their own, over DDS, as `hearing-hands up --bag` starts them. Motion and scene are simulated; sounds
are the recordings that the demo hears, again and again. A verdict's latency is what `SoundComparison.latency` says,
from the end of the touch; beside it stands what is left of it once the sound that a verdict waits for has been heard.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import merge
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from scipy.signal import resample_poly

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)  # of the nodes

from hearing_hands_ros.cli.demo import own_domain  # noqa: E402
from hearing_hands_ros.demo import heard, motion  # noqa: E402
from hearing_hands_ros.demo.bag import AUDIO_TYPE, BLOCK_S, MICROPHONE_FRAME  # noqa: E402
from hearing_hands_ros.demo.build import START_NS, record  # noqa: E402
from hearing_hands_ros.demo.evaluate import ANOMALIES, TrueEvent, evaluate  # noqa: E402
from hearing_hands_ros.demo.normal import heard_in_demo  # noqa: E402
from hearing_hands_ros.demo.recording import Recording  # noqa: E402
from hearing_hands_ros.graph import (  # noqa: E402
    DEMO_CALIBRATION,
    DEMO_PARAMETERS,
    DEMO_SOUND_TOPIC,
    Options,
    predict_graph,
    share_directory,
)
from hearing_hands_ros.motion.window import NANOSECONDS  # noqa: E402
from hearing_hands_ros.replay.settings import settings_of  # noqa: E402
from hearing_hands_ros.scene.bundle import SceneBundle  # noqa: E402
from hearing_hands_ros.scene.surface import SplatSurface  # noqa: E402

RATE, CHANNELS = 48_000, 2
DEADLINE_S = 0.3
FIRST_SEED = 301
START_WAIT_S, STOP_WAIT_S = 90.0, 15.0
SHARE = share_directory()
DEMO = SHARE / "demo"


@dataclass(frozen=True)
class Played:
    """What the hand does and what is heard meanwhile; `wave` as `heard.mix` makes it."""

    events: list[motion.Event]
    wave: heard.Wave
    truth: list[TrueEvent]
    next_seed: int

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.wave) / heard.RATE_HZ

    def write(self, bag: Path) -> None:
        """Write it as the demo's recording is written."""
        record(bag, self.events, self.wave, SplatSurface(SceneBundle.load(DEMO / "scene")), lambda _: None)


def played(seconds: float, folder: Path, first_seed: int = FIRST_SEED, *, odd: bool = True) -> Played:
    """At least so many seconds of touches whose sounds the demo's calibration does not know.

    Args:
        seconds: Of them; whole plans of a minute.
        folder: For what is needed on the way.
        first_seed: Of the first plan; the next one has the next; some cannot be made.
        odd: Some of them are odd, and some sounds have no touch.
    """
    in_demo = heard_in_demo(DEMO)
    rows = [row for row in heard.recordings(DEMO / "held_out") if row["file"] in in_demo]
    (folder / "bank.yaml").write_text(yaml.safe_dump({"recordings": [dict(row) for row in rows]}))
    events: list[motion.Event] = []
    waves, truth, now_s = [], list[TrueEvent](), 0.0
    seed = first_seed - 1
    while now_s < seconds:
        seed += 1
        part = motion.plan(seed) if odd else motion.plan(seed, pauses=0)
        part_s = motion.duration_s(part)
        try:
            sounds, anomalies = heard.cast(part, folder, seed) if odd else (heard.cast_normal(part, rows, seed), {})
            wave = heard.mix(part, sounds, DEMO / "held_out", rows, part_s, seed)
        except ValueError:
            continue  # no tap fits an anomaly, or the sum clips
        named = {sound.event: sound for sound in sounds}
        for number, event in enumerate(part):
            if event.kind == "near_miss":
                continue
            at_s = named[number].at_s if event.kind == "pause" else event.start_s
            material = named[number].material if number in named else "nothing"
            stamp_ns = START_NS + round((now_s + at_s) * NANOSECONDS)
            anomaly = "extra_sound" if event.kind == "pause" else anomalies.get(number, "none")
            truth.append(TrueEvent(stamp_ns, anomaly, material))
        events += [replace(event, start_s=event.start_s + now_s) for event in part]
        waves.append(wave)
        now_s += len(wave) / heard.RATE_HZ
    return Played(events, np.concatenate(waves), truth, seed + 1)


def in_stereo(mono: Path, bag: Path, wave: heard.Wave) -> int:
    """Copy a recording with its sound at 48 kHz in stereo; return how many samples each channel has."""
    left = resample_poly(wave.astype(np.float64), RATE, heard.RATE_HZ).astype(np.float32)
    both = np.stack([left, np.roll(left, 12)], axis=1)  # the other one is 8 cm farther away
    frames = round(BLOCK_S * RATE)
    with AnyReader([mono]) as reader, Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        store, types = reader.typestore, reader.typestore.types
        out = {
            c.topic: writer.add_connection(
                c.topic, c.msgtype, typestore=store, offered_qos_profiles=getattr(c.ext, "offered_qos_profiles", ())
            )
            for c in reader.connections
        }

        def sound() -> Iterator[tuple[int, str, bytes]]:
            for first in range(0, len(both) - frames + 1, frames):
                stamp_ns = START_NS + round(first * NANOSECONDS / RATE)
                stamp = types["builtin_interfaces/msg/Time"](stamp_ns // NANOSECONDS, stamp_ns % NANOSECONDS)
                message = types[AUDIO_TYPE](
                    header=types["std_msgs/msg/Header"](stamp, MICROPHONE_FRAME),
                    sample_rate_hz=RATE,
                    channels=CHANNELS,
                    first_sample=first,
                    data=both[first : first + frames].ravel(),
                    lost=np.zeros(0, np.bool_),
                )
                received_ns = stamp_ns + round(BLOCK_S * NANOSECONDS) + 1_000_000
                yield received_ns, DEMO_SOUND_TOPIC, bytes(store.serialize_cdr(message, AUDIO_TYPE))

        hands = (
            (stamp_ns, c.topic, bytes(raw))
            for c, stamp_ns, raw in reader.messages([c for c in reader.connections if c.topic != DEMO_SOUND_TOPIC])
        )
        for stamp_ns, topic, raw in merge(hands, sound(), key=lambda item: item[0]):
            writer.write(out[topic], stamp_ns, raw)
    return len(both) // frames * frames


def memory_mib(pid: int) -> float:
    """Resident memory of a process, MiB; NaN once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(bag: Path, log: Path, seconds: float, parameters: Path) -> tuple[Recording, dict[str, list[float]]]:
    """Play it through the graph; what was published, and each node's memory after a minute and at the end."""
    from hearing_hands_ros.ros.run_recorder import RunRecorder  # ROS reads the domain when it starts

    recorder = RunRecorder(until_ns=START_NS + round(seconds * NANOSECONDS))
    early_s, memory = min(60.0, seconds / 2), dict[str, list[float]]()
    command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "up", "--bag", str(bag)]
    command += ["--microphone", f"topic:{DEMO_SOUND_TOPIC}", "--calibration", str(SHARE / DEMO_CALIBRATION)]
    command += ["--params-file", str(parameters)]
    with log.open("w") as stream:
        graph = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        latest = time.monotonic() + START_WAIT_S + seconds
        while graph.poll() is None and time.monotonic() < latest:
            time.sleep(1.0)
            passed_s = (recorder.now_ns - START_NS) / NANOSECONDS if recorder.now_ns else 0.0
            for name, pid in re.findall(r"(\w+) runs as process (\d+)", log.read_text()):
                if early_s < passed_s < seconds and np.isfinite(now_mib := memory_mib(int(pid))):
                    memory[name] = [*memory.get(name, [now_mib])[:1], now_mib]
    finally:
        if graph.poll() is None:
            graph.send_signal(signal.SIGINT)
            graph.wait(STOP_WAIT_S)
    recording = recorder.close()
    if graph.returncode or not recording.verdicts:
        sys.exit(f"the graph did not run through (code {graph.returncode})\n{log.read_text()[-3000:]}")
    return recording, memory


def line(values_s: list[float]) -> str:
    """Latencies in figures."""
    if not values_s:
        return "none"
    p50, p95, latest = (1e3 * np.percentile(values_s, p) for p in (50, 95, 100))
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, latest {latest:.0f} ms (n = {len(values_s)})"


def report(recording: Recording, truth: list[TrueEvent], samples: int, wait_s: float) -> None:
    """Print what was heard and what was said of it by a comparator that waits for so much sound."""
    values: dict[str, Any] = {}
    for name, (_, _, found) in (*recording.diagnostics.items(), *recording.afterwards.items()):
        if "microphone" in name:
            values = found
    got = sum(len(wave) for _, wave, _ in recording.audio)
    told = ", ".join(f"{name} {values.get(name, 'unknown')}" for name in ("lost_frames", "gaps"))
    print(f"sound:              {got} of {samples} samples of each channel on heard/audio; microphone: {told}")
    contacts = recording.contacts
    of_touches = [verdict for verdict in recording.verdicts if verdict.contact_id]
    latency_s = [verdict.latency_s for verdict in of_touches]
    waited_s = [
        verdict.latency_s - max(0.0, wait_s - (contact.end_ns - contact.start_ns) / NANOSECONDS)
        for verdict in of_touches
        if (contact := contacts.get(verdict.contact_id)) is not None
    ]
    verdicts = Counter(verdict.verdict for verdict in recording.verdicts)
    touches = sum(event.anomaly != "extra_sound" for event in truth)
    late = sum(value > DEADLINE_S for value in latency_s)
    lacking = sum(not verdict.prediction_id for verdict in of_touches)
    print(f"touches:            {touches} made, {len(contacts)} found, {len(of_touches)} verdicts on them")
    print("verdicts:           " + ", ".join(f"{name} {number}" for name, number in verdicts.most_common()))
    print(f"prediction:         {line(recording.prediction_latency_s)} after the end of the touch")
    print(f"verdict:            {line(latency_s)} after the end of the touch")
    print(f"                    {line(waited_s)} after {wait_s:g} s of the touch's sound, or all of it, were heard")
    print(f"later than {1e3 * DEADLINE_S:.0f} ms:  {late} of {len(latency_s)}; without a prediction: {lacking}")
    outcome = evaluate(recording.verdicts, truth)
    right = [one.verdict for one in outcome.outcomes if one.kind == "found" and one.verdict is not None]
    for name in ANOMALIES:
        print(f"found {name:<13} {line([one.latency_s for one in right if one.verdict == name])}")
    print(f"recall {outcome.recall:.3f} of {outcome.anomalies}; {outcome.count('false-alarm')} false alarms")


def main() -> None:
    """Make the recording, play it, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of touches, at least; one plan is some 59 s")
    parser.add_argument("--params-file", type=Path, default=SHARE / DEMO_PARAMETERS, help="default: %(default)s")
    args = parser.parse_args()
    options = Options(microphone=f"topic:{DEMO_SOUND_TOPIC}", params_file=str(args.params_file))
    wait_s = settings_of(predict_graph(options, SHARE)).comparator.segment_s
    own_domain()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = played(60.0 * args.minutes, folder)
        made.write(folder / "mono.mcap")
        samples = in_stereo(folder / "mono.mcap", folder / "stereo", made.wave)
        load = os.getloadavg()[0]
        print(f"{made.seconds:.0f} s, {RATE} Hz, {CHANNELS} channels, {os.cpu_count()} cores, load before {load:.1f}")
        recording, memory = run(folder / "stereo", folder / "graph.log", made.seconds, args.params_file)
    report(recording, made.truth, samples, wait_s)
    for node, (early_mib, last_mib) in memory.items():
        print(
            f"memory of {node:<20} {early_mib:6.1f} MiB early, {last_mib:6.1f} at the end ({last_mib - early_mib:+.1f})"
        )


if __name__ == "__main__":
    main()
