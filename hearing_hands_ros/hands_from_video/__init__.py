"""Hands out of a camera's video: found in images, placed in metres, told apart, smoothed and written as TF."""
