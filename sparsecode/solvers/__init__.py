"""Algorithms as functions: one family a folder, one loop for all iterative ones."""
