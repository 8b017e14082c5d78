"""One ROS node a file: parameters, publishers, one callback a thought. What they compute is in the other packages."""

import os

# The matrices here are small. OpenBLAS' threads would spin while they wait, and take half a core for nothing.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
