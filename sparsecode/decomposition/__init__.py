"""Transformers: rows of X are signals, rows of ``components_`` are atoms."""

from ._dct import overcomplete_dct
from ._dictionary_learning import DictionaryLearning
from ._sparse_coder import SparseCoder

__all__ = ["DictionaryLearning", "SparseCoder", "overcomplete_dct"]
