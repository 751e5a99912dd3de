"""Bayesian recovery: a prior on the coefficients, and their posterior mean, variances and evidence."""
