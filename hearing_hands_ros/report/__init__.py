"""What replays found, as one page to look at and listen to, and as JSON."""

from hearing_hands_ros.report.page import write_report

__all__ = ["write_report"]
