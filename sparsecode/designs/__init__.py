"""What the matrix `A` is: one class for each kind, one set of questions for all."""

from .base import Design
from .centered import CenteredDesign
from .convolution import ConvolutionDesign
from .dense import DenseDesign
from .gram import GramDesign
from .kronecker import KroneckerDesign
from .operator import OperatorDesign
from .sparse import SparseDesign

__all__ = [
    "CenteredDesign",
    "ConvolutionDesign",
    "DenseDesign",
    "Design",
    "GramDesign",
    "KroneckerDesign",
    "OperatorDesign",
    "SparseDesign",
]
