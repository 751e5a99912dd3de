"""From the parameters of `SparseAutoencoder` and some data to a learner: frame, first atoms, activation, structure, terms."""

from __future__ import annotations

import math

import numpy as np

from .._array import asarray_like, to_numpy
from .._validation import check_range
from ..penalties import L1, L0Ball
from ..solvers.autoencoder.activations import GradientTopK, JumpReLU, Prox, TopK
from ..solvers.autoencoder.allocation import BatchTopK, FeatureChoice
from ..solvers.autoencoder.encoder import pre_activations
from ..solvers.autoencoder.frame import Frame, geometric_median
from ..solvers.autoencoder.parameters import Parameters, initial_parameters
from ..solvers.autoencoder.training import AutoencoderLearner
from ..solvers.dictionary.replacement import unit_rows
from ..solvers.dictionary.signals import row_blocks
from ._autoencoder_loop import rows_of, working_dtype
from ._transform import as_dictionary

__all__ = ["ACTIVATIONS", "make_activation", "make_learner", "measured_frame", "n_entries"]

ACTIVATIONS = (
    "topk",
    "abstopk",
    "batchtopk",
    "mutual_choice",
    "feature_choice",
    "feature_choice_zipf",
    "gradient_topk",
    "relu",
    "jumprelu",
)
_PRICED = ("relu", "jumprelu")  # by alpha
_ALPHA = 1.2  # over the root mean square of X: about where an atom must beat white noise as strong as the data
_LOOKED_AT = 4096  # signals from which centre and thresholds are guessed
_BLOCK = 1 << 14  # signals read at a time where X is only measured


def n_entries(estimator, n_features, n_latents):
    """Entries of a code, on average or at most; an error where there are not as many latents."""
    wanted = estimator.n_nonzero_coefs
    if wanted is None:
        return min(max(1, n_features // 10), n_latents)
    if wanted > n_latents:
        raise ValueError(
            f"n_nonzero_coefs={wanted} is more than the {n_latents} latents; lower it, or raise n_components."
        )
    return wanted


def make_activation(estimator, n_features, n_latents, scale):
    """The activation, for signals divided by `scale`, and the strength of its penalty in units of X (None without one)."""
    name, alpha = estimator.activation, estimator.alpha
    _refuse_unused(estimator)
    if not isinstance(name, str):
        return _of_penalty(name, n_latents, scale), None
    k = n_entries(estimator, n_features, n_latents)
    if name == "relu":
        alpha = _ALPHA * scale if alpha is None else alpha
        return Prox(L1(alpha, positive=True), scale), alpha
    if name == "jumprelu":
        if alpha is None:
            return JumpReLU(0.5 * n_features, estimator.bandwidth, float(k)), None
        return JumpReLU(alpha / scale**2, estimator.bandwidth), alpha
    made = {
        "topk": TopK,
        "abstopk": lambda k: TopK(k, signed=True),
        "batchtopk": BatchTopK,
        "mutual_choice": BatchTopK,
        "feature_choice": FeatureChoice,
        "feature_choice_zipf": lambda k: FeatureChoice(k, zipf=True),
        "gradient_topk": GradientTopK,
    }
    return made[name](k), None


def _refuse_unused(estimator):
    """Refuse by name what the activation does not use."""
    name = estimator.activation
    said = name if isinstance(name, str) else type(name).__name__
    if estimator.alpha is not None and name not in _PRICED:
        raise ValueError(
            f"alpha={estimator.alpha!r} has no meaning for activation={said!r}; leave it at None, or use 'relu', 'jumprelu' or a penalty."
        )
    priced = not isinstance(name, str) or name == "relu" or (name == "jumprelu" and estimator.alpha is not None)
    if estimator.n_nonzero_coefs is not None and priced:
        raise ValueError(
            f"n_nonzero_coefs={estimator.n_nonzero_coefs!r} has no meaning for activation={said!r} with a price for each entry; "
            "leave it at None."
        )


def _of_penalty(penalty, n_latents, scale):
    """The prox of a penalty of the library; the l0 ball's is a TopK."""
    if isinstance(penalty, type):
        raise ValueError(
            f"activation is the class {penalty.__name__}; give a penalty with its parameters, such as MCP(0.1)."
        )
    if isinstance(penalty, L0Ball) and penalty.block_size == 1 and not penalty.joint:
        if not 1 <= penalty.n_nonzero <= n_latents:
            raise ValueError(
                f"activation is L0Ball({penalty.n_nonzero}), but there are {n_latents} latents; give it between 1 and {n_latents}."
            )
        return TopK(penalty.n_nonzero, signed=not penalty.positive)
    if not getattr(penalty, "is_separable", False):
        raise ValueError(
            f"activation is a {type(penalty).__name__}, which is no sum over the entries of a code; use a separable penalty, such as "
            f"L1(0.1, positive=True), an L0Ball without blocks, or a name out of {', '.join(ACTIVATIONS)}."
        )
    return Prox(penalty, scale)


def measured_frame(X, target=None):
    """Centre and scale of the signals, and of the targets where there are others."""
    center, scale = _measured(X, "X")
    center = center if _known(X) else asarray_like(center, X)
    if target is None:
        return Frame(center, scale, center, scale)
    target_center, target_scale = _measured(target, "y")
    return Frame(center, scale, target_center, target_scale, is_one=False)


def _measured(X, name):
    """Geometric median of some rows, and the root mean square of all about it; of the rows themselves where all are alike, 1 for zeros."""
    some = np.unique(np.linspace(0, X.shape[0] - 1, min(X.shape[0], _LOOKED_AT)).astype(np.int64))
    with np.errstate(over="ignore", invalid="ignore"):  # which is refused below
        center = geometric_median(_dense(X, some))
    total, size = 0.0, 0.0
    for part in row_blocks(X, _BLOCK):
        block = _dense(X, part)
        with np.errstate(over="ignore", under="ignore"):
            check_range(np.einsum("ij,ij->i", block, block), block.astype(working_dtype(X)), name, "row", part.start)
        size += float(np.vdot(block, block))
        block = block - center  # block may be X itself
        total += float(np.vdot(block, block))
    energy = total if total > 1e-14 * size else size  # else rounding of rows that are all alike
    return center.astype(working_dtype(X)), math.sqrt(energy / (X.shape[0] * X.shape[1])) if energy > 0.0 else 1.0


def _dense(X, rows):
    """Some rows of signals of any kind in NumPy, in double precision."""
    return to_numpy(rows_of(X, rows, np.dtype(np.float64)))


def _known(X):
    """Whether rows are read as those of NumPy arrays and CSR matrices."""
    return isinstance(X, np.ndarray) or hasattr(X, "toarray")


def make_learner(estimator, X, target, frame, random):
    """A learner that has seen nothing yet, for signals like those of X; sets ``alpha_``."""
    n_features, n_targets = X.shape[1], frame.target_center.shape[0]
    atoms = _first_atoms(estimator, n_features, n_targets, random)
    n_latents, dtype = atoms.shape[0], working_dtype(X)
    activation, estimator.alpha_ = estimator._make_activation(n_latents)
    parameters = initial_parameters(atoms.astype(dtype), n_features)
    if n_features != n_targets or target is not None:
        drawn = unit_rows(random.standard_normal((n_latents, n_features)))
        parameters = parameters._replace(encoder=drawn.astype(dtype))
    if isinstance(activation, JumpReLU):
        parameters.threshold[:] = _first_thresholds(activation, parameters, frame, X, n_latents)
    if not _known(X):
        parameters = Parameters(*(asarray_like(part, X) for part in parameters))
    return AutoencoderLearner(parameters, activation, random)


def _first_atoms(estimator, n_features, n_targets, random):
    """Random directions, or those that are given; as many as there will be latents."""
    n_latents = estimator.n_components
    if estimator.dict_init is None:
        return unit_rows(random.standard_normal((n_latents or 4 * n_features, n_targets)))
    atoms = as_dictionary(estimator.dict_init, "dict_init").astype(np.float64)
    if atoms.shape[1] != n_targets or (n_latents is not None and atoms.shape[0] != n_latents):
        rows = "n_components" if n_latents is None else n_latents
        raise ValueError(
            f"dict_init has shape {atoms.shape}, but it must have shape ({rows}, {n_targets}), one atom a row."
        )
    norms = np.linalg.norm(atoms, axis=1, keepdims=True)
    if not np.all(norms > 0):
        raise ValueError(
            f"dict_init has a row of zeros ({int(np.argmin(norms))}), which has no direction to learn from."
        )
    return atoms / norms


def _first_thresholds(activation, parameters, frame, X, n_latents):
    """Where the l0 norm has them, or where as many entries as are wanted are above."""
    if activation.target is None:
        return math.sqrt(2.0 * activation.alpha)
    some = _dense(X, slice(0, min(X.shape[0], _LOOKED_AT // 4)))
    inputs = (some - to_numpy(frame.center)) / frame.scale
    pre = pre_activations(parameters, inputs.astype(parameters.encoder.dtype))
    return max(float(np.quantile(pre, 1.0 - activation.target / n_latents)), activation.bandwidth)
