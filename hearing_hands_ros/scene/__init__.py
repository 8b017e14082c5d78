"""Scenes: splat files, their place in the world, and the distance to their surface."""
