"""Gaussian processes, kernels and acquisition functions: they know nothing of networks."""
