"""Measures of a predicted sound against the true one."""
