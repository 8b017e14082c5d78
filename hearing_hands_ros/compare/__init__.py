"""What was heard against what was expected."""
