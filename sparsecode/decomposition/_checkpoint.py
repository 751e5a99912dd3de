"""Checkpoints of learners: what a run needs to go on as if it had never been cut.

A file holds NumPy arrays and one JSON text: no pickle, so a checkpoint from elsewhere can do no more than be refused. It is
written beside its place, to the disk, and moved there, so that whatever happens one whole checkpoint is left. Its identity (version of the package,
estimator, parameters, data) has to be that of the run that goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from ..solvers.dictionary.signals import dense_rows, row_blocks

__all__ = [
    "Checkpoint",
    "chained",
    "describe_data",
    "generator_state",
    "opened_checkpoint",
    "restored_generator",
]

_BLOCK = 1 << 14  # rows read at a time
_HEADER = "sparsecode"


class Checkpoint:
    """A file that holds the last complete epoch of a run.

    Parameters
    ----------
    path : str or path-like
        Where; the folder must exist.
    identity : dict
        What must not differ between the run that wrote it and the one that goes on, ready for JSON: names of the things that can differ
        to dicts of their details.

    Attributes
    ----------
    saved : tuple or None
        Numbers and arrays of the last complete epoch, as `save` was given them; None where there was no file yet.

    Raises
    ------
    ValueError
        If the folder does not exist, or the file there is not of this run.
    """

    def __init__(self, path, identity):
        from .. import __version__

        self.path, self.identity = Path(path), {"version": {"sparsecode": __version__}, **identity}
        if not self.path.parent.is_dir():
            raise ValueError(
                f"checkpoint is {str(path)!r}, but there is no folder {str(self.path.parent)!r}; make it first."
            )
        self.saved = self._load()

    def _load(self):
        if not self.path.exists():
            return None
        try:
            with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            header = json.loads(str(arrays.pop(_HEADER)))
            identity = {topic: dict(details) for topic, details in header["identity"].items()}
            numbers = header["numbers"]
        except OSError as error:
            raise ValueError(f"{self._name()} cannot be read ({error}); give another path, or remove it.") from error
        except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
            raise ValueError(
                f"{self._name()} cannot be read: the file there is no checkpoint of a learner, or was cut short; give another path, or "
                "remove it."
            ) from None  # NumPy would have it opened unsafely
        self._compare(identity)
        return numbers, arrays

    def _compare(self, identity):
        for topic in {**self.identity, **identity}:
            stored, now = identity.get(topic, {}), self.identity.get(topic, {})
            for name in {**now, **stored}:
                if stored.get(name) != now.get(name):
                    raise ValueError(
                        f"{self._name()} is of another run: {topic} {name} was {stored.get(name)!r}, and is now "
                        f"{now.get(name)!r}; make it what it was, or give another path to begin anew."
                    )

    def within(self, epoch, max_iter, what="passes"):
        """Refuse a run of fewer epochs than the file has behind it: what it was like after them is not known any more."""
        if epoch > max_iter:
            raise ValueError(
                f"{self._name()} has {epoch} {what} behind it, but max_iter={max_iter}; raise max_iter, or give another path to begin "
                "anew."
            )

    def save(self, numbers, arrays):
        """Put this epoch in the place of the one before."""
        header = json.dumps({"identity": self.identity, "numbers": numbers})
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, **{_HEADER: np.array(header), **arrays})
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _name(self):
        return f"the checkpoint {str(self.path)!r}"


def opened_checkpoint(estimator, free, *, method="fit", **data):
    """The checkpoint of a run of this estimator by this method, on data that are known by these details; parameters in `free` may differ."""
    run = {"class": type(estimator).__name__, "method": method}
    return Checkpoint(estimator.checkpoint, {"estimator": run, **data, "parameter": _parameters(estimator, free)})


def _parameters(estimator, free):
    """Parameters of an estimator but those of `free`, which may change between two runs, as JSON can hold them."""
    parameters = estimator.get_params(deep=False)
    return json.loads(
        json.dumps({name: _described(name, value) for name, value in parameters.items() if name not in free})
    )


def _described(name, value):
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, float, np.number, np.bool_)):
        return np.asarray(value).item()
    if isinstance(value, BaseEstimator):
        return {"class": type(value).__name__, **_all_described(name, value.get_params(deep=False))}
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return type(value).__name__  # where it stands is in the checkpoint itself
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {"class": type(value).__name__, **_all_described(name, value._asdict())}
    if isinstance(value, dict):
        return _all_described(name, value)
    if isinstance(value, (list, tuple)) and not all(isinstance(v, (int, float, np.number)) for v in value):
        return [_described(name, v) for v in value]
    array = np.asarray(value)
    if array.dtype == object:
        raise ValueError(
            f"checkpoint cannot tell whether {name} is the same in another run, as it holds {type(value).__name__}; "
            "give it as numbers, strings, arrays or a penalty of the library, or leave checkpoint=None."
        )
    return _digest(array)


def _all_described(name, values):
    return {str(k): _described(f"{name}.{k}", v) for k, v in values.items()}


def describe_data(X):
    """By what data are known again: shape, precision, and a digest of all rows."""
    known = hashlib.sha256()
    for part in row_blocks(X, _BLOCK):
        known.update(np.ascontiguousarray(dense_rows(X, part, dtype=None)).tobytes())
    return {"shape": list(X.shape), "dtype": str(X.dtype), "digest": known.hexdigest()[:16]}


def chained(known, batch):
    """A digest of the batches so far from that of those before (at first "") and the description of one more."""
    return hashlib.sha256(json.dumps([known, batch]).encode()).hexdigest()[:16]


def _digest(array):
    array = np.ascontiguousarray(array)
    return f"{array.dtype}{array.shape} {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"


def generator_state(random):
    """The state of a RandomState, ready for JSON."""
    return json.loads(json.dumps(random.get_state(legacy=False), default=lambda value: np.asarray(value).tolist()))


def restored_generator(state):
    """A RandomState of its own that goes on from there."""
    random = np.random.RandomState(getattr(np.random, state["bit_generator"])())
    inner = {
        name: np.array(value, dtype=np.uint32) if name == "key" else value for name, value in state["state"].items()
    }
    random.set_state({**state, "state": inner})
    return random
