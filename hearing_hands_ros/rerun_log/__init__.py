"""A replay as a Rerun recording: scene, hands, touches, sounds and verdicts on one time line, to look inside."""
