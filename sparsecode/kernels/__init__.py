"""Hot loops, compiled by Numba: plain arrays in, plain arrays out. The only room that imports numba.

Solvers import the kernel files inside functions, so that `import sparsecode` and small problems never pay for numba.
"""
