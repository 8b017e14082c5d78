"""Scene bundles of what other programs reconstructed."""
