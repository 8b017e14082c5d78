"""Recordings through the core of the graph, as fast as it goes and without ROS."""
