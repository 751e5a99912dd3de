"""How the misfit between target and fitted values is measured: one loss a file."""

from .squared import Squared

__all__ = ["Squared"]
