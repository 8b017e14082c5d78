"""`hearing-hands report`: what replays found, as a page to look at and listen to."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `report`."""
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="what `hearing-hands replay` wrote; several are compared",
    )
    parser.add_argument("--out", type=Path, help="folder for report.html and report.json; default: the first FOLDER")
    parser.add_argument(
        "--media", type=_count, default=150, help="touches that can be seen and heard in the page; default: %(default)s"
    )


def run(args: argparse.Namespace) -> int:
    """Write the report and say where it is."""
    from hearing_hands_ros.report import write_report

    out = args.out or args.folders[0]
    write_report(args.folders, out, args.media)
    size = (out.expanduser() / "report.html").stat().st_size / 1e6
    print(f"written: {out / 'report.html'} ({size:.1f} MB), {out / 'report.json'}")
    return 0


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"wanted a whole number, got {text!r}")
    return int(text)
