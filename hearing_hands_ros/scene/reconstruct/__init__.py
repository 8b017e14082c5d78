"""From photos to a scene bundle: features, matches, camera poses, Gaussians."""
