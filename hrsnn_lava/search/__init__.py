"""Bayesian optimisation over distributions: spaces, suggesters, trials, and what runs them."""
