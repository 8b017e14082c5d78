"""The command `hearing-hands`."""
