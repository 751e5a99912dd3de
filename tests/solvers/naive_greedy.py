"""Pursuits over whole supports, word for word from their definitions: one support for all columns of Y, plain NumPy, no shortcuts."""

import numpy as np


def top(size, count):
    """Indices of the `count` largest entries that are not zero; ties to the lowest index."""
    order = sorted(range(len(size)), key=lambda j: (-size[j], j))[:count]
    return [j for j in order if size[j] > 0]


def rows(values):
    """Norms of the rows."""
    return np.sqrt(np.sum(np.abs(values) ** 2, axis=1))


def fit(A, Y, support):
    """Least squares on a support, zeros elsewhere."""
    coef = np.zeros((A.shape[1], Y.shape[1]), dtype=np.result_type(A, Y))
    if support:
        coef[support] = np.linalg.lstsq(A[:, support], Y)[0]
    return coef


def scores(A, Y, coef):
    """``||a_j^H R|| / ||a_j||``."""
    return rows(A.conj().T @ (Y - A @ coef)) / np.linalg.norm(A, axis=0)


def carried(A, coef, count):
    """The `count` coefficients that carry most: by magnitude times column norm."""
    return sorted(top(rows(coef) * np.linalg.norm(A, axis=0), count))


def naive_gomp(A, Y, count, n_select=2, path=None):
    """Wang, Kwon and Shim (2012), table 1, with the final cut."""
    support, coef = [], fit(A, Y, [])
    for _ in range(min(count, len(A) // n_select)):
        score = scores(A, Y, coef)
        score[support] = 0
        support = support + top(score, n_select)
        coef = fit(A, Y, support)
        if path is not None:
            path.append(coef)
    return fit(A, Y, carried(A, coef, count))


def naive_stomp(A, Y, threshold=2.5, n_stages=10):
    """Donoho et al. (2012), section 2; one target."""
    support, coef = [], fit(A, Y, [])
    for _ in range(n_stages):
        level = threshold * np.linalg.norm(Y - A @ coef) / np.sqrt(len(A))
        new = [j for j in np.flatnonzero(scores(A, Y, coef) > level) if j not in support]
        if not new or len(support) >= len(A):
            break
        support = support + new
        coef = fit(A, Y, support)
    return coef


def naive_cosamp(A, Y, count, n_passes=100, patience=5, debias=True):
    """Needell and Tropp (2009), algorithm 1; the best of the iterates."""
    coef = best = fit(A, Y, [])
    least, idle = np.linalg.norm(Y), 0
    for _ in range(n_passes):
        merged = sorted({*top(scores(A, Y, coef), 2 * count), *np.flatnonzero(rows(coef)).tolist()})
        wide = fit(A, Y, merged)
        coef = np.zeros_like(wide)
        kept = carried(A, wide, count)
        coef[kept] = wide[kept]
        idle += 1
        if np.linalg.norm(Y - A @ coef) < least:
            best, least, idle = coef, np.linalg.norm(Y - A @ coef), 0
        if idle == patience:
            break
    return fit(A, Y, np.flatnonzero(rows(best)).tolist()) if debias else best


def naive_subspace_pursuit(A, Y, count, n_passes=100):
    """Dai and Milenkovic (2009), algorithm 1."""
    support = sorted(top(scores(A, Y, fit(A, Y, [])), count))
    coef = fit(A, Y, support)
    for _ in range(n_passes):
        score = scores(A, Y, coef)
        score[support] = 0
        wide = fit(A, Y, sorted({*support, *top(score, count)}))
        kept = carried(A, wide, count)
        new = fit(A, Y, kept)
        if np.linalg.norm(Y - A @ new) >= np.linalg.norm(Y - A @ coef) or kept == support:
            break
        support, coef = kept, new
    return coef


def naive_somp(A, Y, count, norm=2, selection="omp", weights=None):
    """Tropp, Gilbert and Strauss (2006), algorithm 3.1; the order of selection, and the fit."""
    order, coef = [], fit(A, Y, [])
    weights = np.ones(A.shape[1]) if weights is None else weights
    for _ in range(count):
        left = A.copy()
        if order and selection == "ols":
            basis = np.linalg.qr(A[:, order])[0]
            left = A - basis @ (basis.conj().T @ A)
        correlation = np.abs(A.conj().T @ (Y - A @ coef))
        score = np.linalg.norm(correlation, ord=norm, axis=1) / np.linalg.norm(left, axis=0) / weights
        score[order] = -1.0
        order.append(int(np.argmax(score)))
        coef = fit(A, Y, order)
    return order, coef
