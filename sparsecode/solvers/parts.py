"""What a problem asks of its loss and its penalty, so that one of the user's own that lacks something is refused by name."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._validation import as_number
from ..losses import Squared

__all__ = ["as_parts", "checked", "plain_fields"]

_ASKED = {
    "loss": ("value", "gradient", "is_smooth", "supports_complex"),
    "penalty": ("value", "prox", "is_convex", "is_separable", "supports_complex"),
}
_PROOFS = {"gap": ("subdiff_distance", "dual_limit", "conjugate"), "stationarity": ("subdiff_distance",), "prox": ()}
_EXAMPLES = {"loss": "Huber()", "penalty": "L1(alpha=0.1)"}


def as_parts(loss, penalty):
    """Loss and penalty as solvers need them, the squared loss by default."""
    if penalty is None:
        raise ValueError("penalty is missing; pass one, for example L1(alpha=0.1).")
    loss, penalty = Squared() if loss is None else checked(loss, "loss"), checked(penalty, "penalty")
    if hasattr(penalty, "alpha"):
        as_number(penalty.alpha, "penalty.alpha")
    return loss, penalty


def checked(part, what):
    """The same loss or penalty, if it is an object that answers all that is asked; `what` says which of the two it is."""
    if isinstance(part, str):
        raise ValueError(f"{what} is the string {part!r}; pass an object, for example {_EXAMPLES[what]}.")
    if isinstance(part, type):
        defaults = getattr(part, "_field_defaults", ())
        needed = ", ".join(f"{name}=..." for name in getattr(part, "_fields", ()) if name not in defaults)
        made = f"{part.__name__}({needed})"
        raise ValueError(f"{what} is the class {part.__name__}; pass an object of it, {made}.")
    proof = getattr(part, "certificate", "gap" if getattr(part, "is_convex", False) else "stationarity")
    missing = (
        []
        if _answers(part.__class__, what, proof)
        else [name for name in _asked(part, what, proof) if not hasattr(part, name)]
    )
    if missing:
        raise ValueError(
            f"{what} {type(part).__name__} lacks {', '.join(missing)}; pass one of the library, for example {_EXAMPLES[what]}, "
            f"or add them as in the example plot_write_a_{what} of the gallery."
        )
    if not (isinstance(part, tuple) and hasattr(part, "_fields")):
        raise ValueError(
            f"{what} {type(part).__name__} is no NamedTuple; make it one, with its parameters as fields, as in the example "
            f"plot_write_a_{what} of the gallery."
        )
    return part


@lru_cache(maxsize=256)  # looked at once: a small fit takes less than many looks
def _answers(kind, what, proof):
    """Whether every object of that class has what is asked."""
    return all(hasattr(kind, name) for name in _asked(kind, what, proof))


def _asked(part, what, proof):
    """Names of what this part has to answer: for a penalty, also what the certificate of its kind needs.

    A concave penalty with a slope or a tangent has methods that need no prox.
    """
    if what == "loss":
        return _ASKED[what]
    asked = [
        name for name in _ASKED[what] if name != "prox" or not (hasattr(part, "slope") or hasattr(part, "tangent"))
    ]
    return (*asked, *_PROOFS.get(proof, ()))


def plain_fields(parameters):
    """The same loss or penalty with NumPy scalars made Python numbers, which do not widen single precision."""

    def plain(field):
        if isinstance(field, np.generic):
            return field.item()
        return plain_fields(field) if hasattr(field, "_fields") else field

    return type(parameters)(*map(plain, parameters))
