"""Training: one command for one processor or many machines, that goes on where it was stopped."""
