"""What a ROS 2 install has and the PyPI wheels lack, and conversions between messages and the core's arrays."""
