"""Steps of Adam on the parameters of an autoencoder, with its atoms kept on the sphere."""

from __future__ import annotations

import numpy as np

from ..._array import array_namespace, is_numpy
from ..._parallel import map_blocks
from ...networks import Adam, clipped
from .parameters import Parameters

__all__ = ["SphereAdam", "tangent"]

_ROWS = 128  # of a block


def tangent(gradient, atoms, n_jobs=None):
    """Take out of each row of a gradient its part along the unit atom, in place."""
    if not is_numpy(atoms):
        xp = array_namespace(atoms)
        gradient -= xp.sum(gradient * atoms, axis=1, keepdims=True) * atoms
        return
    from ...kernels.autoencoder import tangent_rows

    map_blocks(lambda start, stop: tangent_rows(gradient[start:stop], atoms[start:stop]), len(atoms), _ROWS, n_jobs)


class SphereAdam(Adam):
    """Adam on `Parameters`: decoder rows are scaled to norm one after each step, thresholds are not negative.

    Gradients are shrunk together where their norm is above `most`.
    """

    def step(self, gradients, rate=None, most=np.inf, n_jobs=None):
        """One descent step."""
        gradients, _ = clipped(list(gradients), most)
        if not is_numpy(self.parameters[0]):
            super().step(gradients, rate)
            self._project()
            return
        rate = self.rate if rate is None else rate
        self.count += 1
        one, two = self.betas
        number = self.parameters[0].dtype.type
        numbers = [
            number(value)
            for value in (
                1.0 - one,
                1.0 - two,
                rate / (1.0 - one**self.count),
                (1.0 - two**self.count) ** -0.5,
                self.floor,
            )
        ]
        for k, part in enumerate(self.parameters):
            self._step_of_part(k, np.ascontiguousarray(gradients[k]), part, numbers, n_jobs)
        np.maximum(self._own.threshold, 0, out=self._own.threshold)

    def _step_of_part(self, k, gradient, part, numbers, n_jobs):
        """Rows by the compiled kernel; a vector is one row."""
        from ...kernels.autoencoder import adam_rows

        parts = [array.reshape(-1, part.shape[-1]) for array in (part, self.means[k], self.squares[k], gradient)]

        def block(start, stop):
            adam_rows(*(array[start:stop] for array in parts), *numbers, part is self._own.decoder)

        map_blocks(block, parts[0].shape[0], _ROWS, n_jobs)

    def _project(self):
        xp, own = array_namespace(self.parameters[0]), self._own
        own.decoder[...] = own.decoder / xp.sqrt(xp.sum(own.decoder**2, axis=1, keepdims=True))
        own.threshold[...] = xp.clip(own.threshold, min=0.0)

    @property
    def _own(self):
        return Parameters(*self.parameters)
