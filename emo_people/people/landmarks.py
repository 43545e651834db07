"""The 68 points of a face (iBUG's order) on the mesh."""

import numpy as np

# To be fitted.
LANDMARKS = np.zeros(68, np.int64)
