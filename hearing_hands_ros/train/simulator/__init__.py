"""A simulated workcell: scenes of named materials, hands and grippers that touch them, and what is heard."""
