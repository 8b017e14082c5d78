"""Stand-in for the part of `launch_ros` that our launch files use; see `launch`."""
