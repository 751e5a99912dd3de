"""Transformers: rows of X are signals, rows of ``components_`` are atoms."""

from ._contrastive import ContrastiveSparseRepresentation
from ._convolutional import ConvolutionalDictionaryLearning
from ._dct import overcomplete_dct
from ._dictionary_learning import DictionaryLearning
from ._inverted_index import InvertedIndex
from ._k_sparse_compression import KSparseCompression
from ._log_gabor import log_gabor_bank, orientation_bandwidth
from ._lp_dictionary_learning import LpDictionaryLearning
from ._masked_dictionary_learning import MaskedDictionaryLearning
from ._probabilistic import ProbabilisticSparseCoding
from ._sparse_autoencoder import SparseAutoencoder
from ._sparse_coder import SparseCoder
from ._statistics import Statistics, add_statistics, local_statistics, update_dictionary
from ._unmixing import RobustUnmixing

__all__ = [
    "ContrastiveSparseRepresentation",
    "ConvolutionalDictionaryLearning",
    "DictionaryLearning",
    "InvertedIndex",
    "KSparseCompression",
    "LpDictionaryLearning",
    "MaskedDictionaryLearning",
    "ProbabilisticSparseCoding",
    "RobustUnmixing",
    "SparseAutoencoder",
    "SparseCoder",
    "Statistics",
    "add_statistics",
    "local_statistics",
    "log_gabor_bank",
    "orientation_bandwidth",
    "overcomplete_dct",
    "update_dictionary",
]
