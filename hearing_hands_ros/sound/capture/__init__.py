"""Sound as it comes in: sources behind one protocol, and a monitor that makes one gapless, checked stream of it."""
