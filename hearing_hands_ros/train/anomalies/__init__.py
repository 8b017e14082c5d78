"""A benchmark of anomalies made from the held-out scenes of a dataset."""
