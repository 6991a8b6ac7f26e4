"""The loss as a surface: its curvature, its slices, and the learning rates that it bears."""
