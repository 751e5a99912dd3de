"""
One problem, five designs
=========================

A solver never asks what the matrix is made of: it asks the design for products, columns and Gram matrices. So the
same call takes an array, a sparse matrix, an operator that was never a matrix, or nothing but a Gram matrix, and
gives the same answer.
"""

# %%
# Five forms of one cosine transform
# ----------------------------------

import numpy as np
import scipy.sparse as sp

from sparsecode import L1, GramDesign, Status, fista
from sparsecode.datasets import make_sparse_recovery
from sparsecode.designs import CenteredDesign, DenseDesign, Design, OperatorDesign, SparseDesign
from sparsecode.designs.transforms import daubechies_filter
from sparsecode.metrics import babel, mutual_coherence

problem = make_sparse_recovery(64, 256, 5, ensemble="partial_dct", as_operator=True, random_state=0)
operator, y = problem.design, problem.target  # made by `dct_operator(256, rows)`
matrix = operator @ np.eye(256)

forms = {
    "array": (matrix, y),
    "single precision": (matrix.astype(np.float32), y.astype(np.float32)),
    "CSC matrix": (sp.csc_array(matrix), y),
    "LinearOperator": (operator, y),
    "GramDesign": (GramDesign(matrix.T @ matrix, n_samples=64, target_sq_norm=y @ y), matrix.T @ y),
}
reference = fista(matrix, y, penalty=L1(1e-4), tol=1e-10).coef
for name, (design, target) in forms.items():
    result = fista(design, target, penalty=L1(1e-4), tol=1e-10 if target.dtype == np.float64 else 1e-6)
    difference = np.abs(result.coef - reference).max()
    print(f"{name:17} {result.status.name:9} support {result.support}, differs by {difference:.0e} at most")

# %%
# A status is an enum whose text says what to do; here nothing is left to be done.

print(Status.CONVERGED.value)

# %%
# Behind the call
# ---------------
# Each form becomes a :class:`~sparsecode.designs.Design` of its own kind. They can be made by hand, to be used many
# times; what is expensive to know (column norms, the largest singular value) is then computed once.

kinds: list[Design] = [DenseDesign(matrix), SparseDesign(sp.csc_array(matrix)), OperatorDesign(operator)]
for design in kinds:
    print(f"{type(design).__name__:15} largest eigenvalue of A^H A at most {design.spectral_sq_norm():.3f}")

# %%
# Centring without touching the matrix
# ------------------------------------
# An intercept means centred columns. :class:`~sparsecode.designs.CenteredDesign` subtracts the means inside the
# products, so a sparse matrix stays sparse.

rng = np.random.default_rng(0)
counts = sp.csc_array(rng.poisson(0.05, (1000, 50)).astype(float))
mean = np.asarray(counts.mean(axis=0)).ravel()
centered = CenteredDesign(SparseDesign(counts), mean)
coef = np.linspace(-1, 1, 50)
print(f"mean of the fitted values: {centered.matvec(coef).mean():.1e} instead of {(counts @ coef).mean():.1e}")

# %%
# Is this design good for recovery?
# ---------------------------------
# Low coherence is what greedy methods and the l1 norm ask for. The Babel function adds the coherences of a whole
# support: where it stays below one, every support of that size is found from noiseless measurements. That guarantee
# is pessimistic; see the phase transitions for what happens typically.

print(f"mutual coherence {mutual_coherence(matrix):.2f}")
print("Babel function at 1, 2, 4:", [round(float(babel(matrix, order)), 2) for order in (1, 2, 4)])
print("taps of the wavelet that the MRI example uses:", daubechies_filter(4).round(3))
