"""A trained generator made to fit another robot, microphone and room, by that robot's own recordings."""
