"""Flow matching: path, weighting of times, loss, solvers and guidance; any network, any shape."""
