"""One ROS node a file: parameters, publishers, one callback a thought. What they compute is in the other packages."""
