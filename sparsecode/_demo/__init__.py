"""``python -m sparsecode demo``: a photograph, an MRI slice and a planted vector, each with its certificate."""

from .tour import run

__all__ = ["run"]
