"""Recording into a bag that survives a kill, and what is missing in it while there is time; no ROS."""
