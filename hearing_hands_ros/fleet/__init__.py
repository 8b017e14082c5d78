"""Many recordings and many models: a replay of each with each, kept on disk, and a table of them."""
