"""Scores of heard touches: each a small class, useful alone; larger is odder."""
