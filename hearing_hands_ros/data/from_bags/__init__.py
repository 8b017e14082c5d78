"""Datasets out of recordings: read piece by piece, split by place and recording, cut into windows, written by scene."""
