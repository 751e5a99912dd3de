"""A dense matrix rounded to eight bits, column by column, and its products: an eighth of the memory to read.

    A[:, j] = scale_j q[:, j] + e_j        q in -127 .. 127        |a_j^T r - scale_j q_j^T r| <= ||e_j|| ||r||

Columns stand in panels of 64, so that a row of a panel is one cache line: ``levels[j // 64, i, j % 64]``. Indices are unsigned
where a first column is added to them: those that may be negative keep the compiler from using vectors.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["PANEL", "correlate", "quantise_columns", "quantise_rows"]

PANEL = 64
_LEVELS = 127.0


@kernel(borrows=True)
def quantise_rows(A, first, last, levels, scale, error_sq, inverse):
    """Panels `first` to `last` of a matrix stored by rows; `error_sq` (n_columns,) are the ``||e_j||^2``, in double."""
    panel, n_columns = np.uint64(PANEL), np.uint64(A.shape[1])
    for p in range(np.uint64(first), np.uint64(last)):
        start = p * panel
        width = min(panel, n_columns - start)
        for j in range(width):
            scale[start + j] = 0.0
            error_sq[start + j] = 0.0
        for i in range(A.shape[0]):
            for j in range(width):
                size = np.float64(abs(A[i, start + j]))
                largest = scale[start + j]
                scale[start + j] = size if size > largest else largest
        for j in range(width):
            largest = scale[start + j]
            inverse[j] = _LEVELS / largest if largest > 0 else 0.0
            scale[start + j] = largest / _LEVELS
        for i in range(A.shape[0]):
            for j in range(width):
                levels[p, i, j] = np.int32(A[i, start + j] * inverse[j] + 128.5) - np.int32(128)
            for j in range(width):
                left = A[i, start + j] * inverse[j] - levels[p, i, j]
                error_sq[start + j] += left * left
        for j in range(width):
            error_sq[start + j] *= scale[start + j] * scale[start + j]


@kernel(borrows=True)
def quantise_columns(A, first, last, levels, scale, error_sq, lanes):
    """The same for a matrix stored by columns; `lanes` (2, 64) is scratch memory for sums side by side."""
    n_rows, panel = np.uint64(A.shape[0]), np.uint64(PANEL)
    for column in range(np.uint64(first * PANEL), np.uint64(min(last * PANEL, A.shape[1]))):
        for l in range(panel):
            lanes[0, l] = 0.0
            lanes[1, l] = 0.0
        for start in range(np.uint64(0), n_rows, panel):
            for l in range(min(panel, n_rows - start)):
                size = np.float64(abs(A[start + l, column]))
                largest = lanes[0, l]
                lanes[0, l] = size if size > largest else largest
        largest = 0.0
        for l in range(panel):
            largest = max(largest, lanes[0, l])
        inverse = _LEVELS / largest if largest > 0 else 0.0
        p, place = column // panel, column % panel
        for start in range(np.uint64(0), n_rows, panel):
            for l in range(min(panel, n_rows - start)):
                value = A[start + l, column] * inverse
                left = value - (np.int32(value + 128.5) - np.int32(128))
                lanes[1, l] += left * left
            for l in range(min(panel, n_rows - start)):
                levels[p, start + l, place] = np.int32(A[start + l, column] * inverse + 128.5) - np.int32(128)
        error = 0.0
        for l in range(panel):
            error += lanes[1, l]
        scale[column] = largest / _LEVELS
        error_sq[column] = error * scale[column] * scale[column]


@kernel(borrows=True)
def correlate(levels, residual, first, last, signed, columns, scores):
    """Bounds of the scores of all columns in single precision, from ``q_j^T residual``.

    `columns` (2, n_panels, 64) holds factor and error: ``scores[0]`` is ``factor |q_j^T residual| - error``, ``scores[1]`` with
    + error; `signed` products are taken as they are.
    """
    n_rows = levels.shape[1]
    whole = n_rows // 8 * 8
    for p in range(first, last):
        for j in range(PANEL):
            scores[0, p, j] = 0
        for i in range(0, whole, 8):
            r0, r1, r2, r3 = residual[i], residual[i + 1], residual[i + 2], residual[i + 3]
            r4, r5, r6, r7 = residual[i + 4], residual[i + 5], residual[i + 6], residual[i + 7]
            for j in range(PANEL):
                scores[0, p, j] += (
                    r0 * np.float32(levels[p, i, j])
                    + r1 * np.float32(levels[p, i + 1, j])
                    + r2 * np.float32(levels[p, i + 2, j])
                    + r3 * np.float32(levels[p, i + 3, j])
                    + r4 * np.float32(levels[p, i + 4, j])
                    + r5 * np.float32(levels[p, i + 5, j])
                    + r6 * np.float32(levels[p, i + 6, j])
                    + r7 * np.float32(levels[p, i + 7, j])
                )
        for i in range(whole, n_rows):
            for j in range(PANEL):
                scores[0, p, j] += residual[i] * np.float32(levels[p, i, j])
        for j in range(PANEL):
            value = scores[0, p, j]
            size = (value if signed else abs(value)) * columns[0, p, j]
            scores[0, p, j] = size - columns[1, p, j]
            scores[1, p, j] = size + columns[1, p, j]
