"""Where and how large a scene is in a robot's frame: from point pairs, from camera images, from a point cloud."""
