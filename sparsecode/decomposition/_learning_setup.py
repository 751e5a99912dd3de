"""From the parameters of `DictionaryLearning` and some data to a learner: first atoms, strength, coder."""

from __future__ import annotations

import numpy as np

from .._validation import check_range
from ..solvers.dictionary.alternating import AlternatingLearner
from ..solvers.dictionary.incoherence import refuse_coherence
from ..solvers.dictionary.online import OnlineLearner
from ..solvers.dictionary.signals import dense_rows, row_blocks
from ..solvers.dictionary.start import initial_atoms
from ._coders import ALGORITHMS, make_coder
from ._sparse_coder import SparseCoder
from ._transform import as_dictionary, rows_dtype

__all__ = [
    "BY_NAME",
    "METHODS",
    "as_coder",
    "as_online",
    "back_in_stream",
    "check_parameters",
    "continued",
    "first_atoms",
    "make_learner",
    "mean_square",
    "strength",
    "tolerance",
]

METHODS = ("online", "mod", "ksvd", "aksvd")
BY_NAME = tuple(name for name in ALGORITHMS if name != "penalty")  # a penalty comes in a SparseCoder
_ALPHA_OVER_RMS = 1.2  # about the strength at which an atom must beat white noise as strong as the data
_MEASURED = ("lasso", "threshold")  # not the elastic net, whose ridge does not scale with the data
_BLOCK = 1 << 14  # signals read at a time where X is only measured
_ONLINE_TOL, _WHOLE_TOL = 1e-2, 1e-3  # batches leave a floor
_OF_SAMPLING = 1.0 / 3.0  # of the sampling error: a step that adds a tenth to its variance
_BOUND_TOL = 5e-2  # what atoms reach that are pushed apart after every pass
_OF_TRANSFORM = {"n_components": None, "split_sign": False, "sparse_output": False, "n_jobs": None}
_ONLINE_ONLY = {"batch_size": None, "forgetting": 3.0, "n_sweeps": 1, "shuffle": True}


def check_parameters(estimator, n_atoms, n_features):
    """Refuse by name what the method does not use, and a coherence that cannot be."""
    if estimator.method != "online":
        for name, default in _ONLINE_ONLY.items():
            if getattr(estimator, name) != default:
                raise ValueError(
                    f"{name}={getattr(estimator, name)!r} has no meaning for method={estimator.method!r}, which takes all "
                    f"signals at once; leave it at {default!r}, or use method='online'."
                )
    refuse_coherence(estimator.max_coherence, n_atoms, n_features, estimator.positive_dict)


def tolerance(estimator, last):
    """What the certificate of a pass is held against: what is asked for, or by default what the method can reach and what other signals of
    the same kind would not tell from zero."""
    if estimator.tol != "auto":
        return estimator.tol
    tol = _ONLINE_TOL if estimator.method == "online" else _WHOLE_TOL
    return max(tol if estimator.max_coherence is None else _BOUND_TOL, _OF_SAMPLING * last.sampling_error)


def make_learner(estimator, X, random):
    """A learner that has seen nothing yet, for signals like those of X; sets ``alpha_``."""
    n_features = X.shape[1]
    n_atoms = n_features if estimator.n_components is None else estimator.n_components
    check_parameters(estimator, n_atoms, n_features)
    atoms = first_atoms(estimator, X, n_atoms, random)
    estimator.alpha_ = strength(estimator, mean_square(X))
    coder = repeated(estimator._coder(n_features, n_atoms))
    shared = {"replace_dead": estimator.replace_dead, "max_coherence": estimator.max_coherence}
    if estimator.method == "online":
        return OnlineLearner(
            atoms,
            coder,
            forgetting=estimator.forgetting,
            positive=estimator.positive_dict,
            n_sweeps=estimator.n_sweeps,
            signed=_signed(estimator),
            **shared,
        )
    if coder.strengths is None and estimator.method != "mod":
        raise ValueError(
            f"method={estimator.method!r} changes the codes along with the atoms, for which it knows no way under the penalty of "
            "this coder; use method='mod' or 'online', or another coder."
        )
    return AlternatingLearner(
        dense_rows(X, slice(None)),
        atoms,
        coder,
        method=estimator.method,
        positive_code=estimator.positive_code,
        signed=_signed(estimator),
        positive_dict=estimator.positive_dict,
        **shared,
    )


def continued(estimator, X):
    """The learner of an earlier fit under today's parameters; a strength that was measured stays."""
    learner = estimator._learner.copy()
    check_parameters(estimator, *learner.atoms.shape)
    estimator.alpha_ = strength(estimator, mean_square(X), estimator.alpha_)
    learner.coder = repeated(estimator._coder(X.shape[1], learner.atoms.shape[0]))
    learner.forgetting, learner.positive = estimator.forgetting, estimator.positive_dict
    learner.n_sweeps, learner.replace_dead = estimator.n_sweeps, estimator.replace_dead
    learner.max_coherence, learner.signed = estimator.max_coherence, _signed(estimator)
    if learner.positive:
        learner.atoms = np.maximum(learner.atoms, 0.0)
    return learner


def back_in_stream(estimator, X, numbers, arrays, learned):
    """Give the estimator back what it had after the last batch of a checkpoint of a stream that begins with X."""
    learner = make_learner(estimator, X, np.random.RandomState(0))
    estimator.alpha_ = numbers["run"]["alpha"]
    learner.coder = repeated(estimator._coder(*learner.atoms.shape[::-1]))
    learner.restore(numbers["learner"], arrays)
    estimator._store(learner, X, learned)


def as_online(estimator, learner):
    """A learner that goes on batch by batch from where this one ended."""
    if isinstance(learner, OnlineLearner):
        return learner
    online = OnlineLearner(
        learner.atoms,
        learner.coder,
        forgetting=estimator.forgetting,
        positive=learner.positive,
        n_sweeps=estimator.n_sweeps,
        replace_dead=learner.replace_dead,
        max_coherence=learner.max_coherence,
        signed=learner.signed,
    )
    online.statistics = learner.statistics()
    online.n_signals, online.n_steps, online.n_replaced = len(learner.signals), learner.n_passes, learner.n_replaced
    return online


def first_atoms(estimator, X, n_atoms, random):
    """The atoms to start from, norms at most one."""
    given = estimator.dict_init
    if given is None or isinstance(given, str):
        return initial_atoms(
            X,
            n_atoms,
            random,
            positive=estimator.positive_dict,
            spread=given is not None,
            signed=_signed(estimator),
        )
    atoms = as_dictionary(given, "dict_init").astype(np.float64)
    if atoms.shape[1] != X.shape[1] or (estimator.n_components is not None and atoms.shape[0] != n_atoms):
        rows = "n_components" if estimator.n_components is None else n_atoms
        raise ValueError(
            f"dict_init has shape {atoms.shape}, but it must have shape ({rows}, {X.shape[1]}), one atom a row."
        )
    if estimator.positive_dict and np.any(atoms < 0):
        raise ValueError(
            "dict_init has negative entries, but positive_dict forbids them; pass np.maximum(dict_init, 0)."
        )
    return np.ascontiguousarray(atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1.0))


def strength(estimator, energy, measured=None):
    """The penalty's strength: as given, as measured, or in proportion to the root of the mean square of X, where the coder needs one."""
    if estimator.alpha is not None or isinstance(estimator.coder, SparseCoder) or estimator.coder not in _MEASURED:
        return estimator.alpha
    if estimator.coder == "threshold" and estimator.n_nonzero_coefs is not None:
        return None
    if measured is not None:
        return measured
    return _ALPHA_OVER_RMS * float(np.sqrt(energy)) if energy > 0 else 1.0


def mean_square(X):
    """Of the entries of X; a row whose norm leaves the range of its precision is named."""
    total = 0.0
    for part in row_blocks(X, _BLOCK):
        block = dense_rows(X, part)
        with np.errstate(over="ignore", under="ignore"):
            sq_norms = np.einsum("ij,ij->i", block, block)
        check_range(sq_norms, block.astype(rows_dtype(X), copy=False), "X", "row", part.start)
        total += float(np.sum(sq_norms))
    return total / (X.shape[0] * X.shape[1])


def _signed(estimator):
    """Whether codes cannot be negative, so that an atom and its negative are two."""
    penalty = estimator.coder.penalty if isinstance(estimator.coder, SparseCoder) else None
    return bool(estimator.positive_code or getattr(penalty, "positive", False))


def repeated(coder):
    """The coder for one who calls it again and again."""
    return coder._replace(repeated=True) if "repeated" in coder._fields else coder


def as_coder(coder, n_features, n_atoms, *, alpha, n_nonzero_coefs, positive_code, owner):
    """The coder of a name with its settings, or of a `SparseCoder`, which brings its own."""
    if not isinstance(coder, SparseCoder):
        return make_coder(
            coder, n_features, n_atoms, positive=positive_code, alpha=alpha, n_nonzero_coefs=n_nonzero_coefs
        )
    for name, value in (("alpha", alpha), ("n_nonzero_coefs", n_nonzero_coefs)):
        if value is not None:
            raise ValueError(
                f"{name} has no meaning where coder is a SparseCoder; set it there, or pass the algorithm's name."
            )
    coder._validate_params()
    for name, default in _OF_TRANSFORM.items():
        if getattr(coder, name) != default:
            raise ValueError(
                f"{name}={getattr(coder, name)!r} has no meaning in a SparseCoder that {owner} codes with; leave it at {default!r} there."
            )
    if positive_code != coder.positive_code:
        raise ValueError(f"positive_code differs between {owner} and its coder; set both alike.")
    return coder._coder(n_features, n_atoms)
