"""The network of our own: small enough to run live on a CPU."""
