"""Hands in the scene: keypoints, fixed-rate windows, and touches of the surface."""
