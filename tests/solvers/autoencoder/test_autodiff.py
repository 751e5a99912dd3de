"""Structures and auxiliary losses as one graph in torch: automatic differentiation against gradients written out."""

import numpy as np
import pytest

from sparsecode.solvers.autoencoder.activations import TopK
from sparsecode.solvers.autoencoder.dead import AuxiliaryLatents, AuxiliaryPursuit
from sparsecode.solvers.autoencoder.gradients import loss_and_gradients
from sparsecode.solvers.autoencoder.orthogonality import Apart
from sparsecode.solvers.autoencoder.parameters import Life, zeros_like
from sparsecode.solvers.autoencoder.pursuit import MatchingPursuit, pursuit_loss_and_gradients
from sparsecode.solvers.autoencoder.structures import FLAT, Matryoshka, RankedBudgets
from tests.solvers.autoencoder import naive

torch = pytest.importorskip("torch")
DEAD = [1, 5, 30, 31, 32]


def graph(parameters):
    """Leaves of a graph, in the same form."""
    return type(parameters)(*(torch.tensor(part, requires_grad=True) for part in parameters))


def slopes(loss, leaves):
    """Gradients of a graph, zeros where a leaf is not in it."""
    made = torch.autograd.grad(loss, list(leaves), allow_unused=True)
    return [np.zeros(leaf.shape) if part is None else part.numpy() for leaf, part in zip(leaves, made, strict=True)]


def life():
    known = Life(40, np.random.RandomState(0))
    known.silence[DEAD] = 1000
    return known


def topk(pre, count):
    """Largest positive entries, as a dense matrix."""
    values, places = torch.topk(torch.relu(pre), count, dim=1)
    return torch.zeros_like(pre).scatter(1, places, values)


def misfit(leaves, codes, target):
    return 0.5 * torch.mean(torch.sum((codes @ leaves.decoder + leaves.decoder_bias - target) ** 2, dim=1))


def nested(leaves, codes, target, structure):
    """The mean over levels, each written as a mask of the code."""
    if isinstance(structure, Matryoshka):
        masks = [torch.arange(40) < size for size in structure.sizes]
    elif isinstance(structure, RankedBudgets):
        masks = [topk(codes, count).detach() != 0 for count in structure.budgets]
    else:
        masks = [torch.ones(40, dtype=torch.bool)]
    return sum(misfit(leaves, codes * mask, target) for mask in masks) / len(masks)


def auxiliary(error, again):
    error = error.detach()
    return error.shape[1] / 2 * torch.sum((error - again) ** 2) / torch.sum((error - error.mean(dim=0)) ** 2)


@pytest.mark.parametrize("structure", [FLAT, Matryoshka((10, 20, 40)), RankedBudgets((1, 3, 6))])
@pytest.mark.parametrize("n_targets", [None, 9])
def test_structures_with_dead_latents_and_atoms_apart(structure, n_targets):
    parameters, X, target = naive.problem(6, n_signals=50, n_features=16, n_latents=40, n_targets=n_targets)
    gradients = zeros_like(parameters)
    terms = AuxiliaryLatents(500, 0.5, most=3), Apart(0.3)
    loss_and_gradients(parameters, X, target, TopK(6), gradients, structure, terms, life())
    leaves, x, t = graph(parameters), torch.tensor(X), torch.tensor(target)
    pre = x @ leaves.encoder.T + leaves.encoder_bias
    codes = topk(pre, 6)
    error = t - codes @ leaves.decoder - leaves.decoder_bias
    loss = nested(leaves, codes, t, structure)
    loss = loss + 0.5 * auxiliary(error, topk(pre[:, DEAD], 3) @ leaves.decoder[DEAD])
    unit = leaves.decoder / torch.linalg.norm(leaves.decoder, dim=1, keepdim=True)
    cosines = unit @ unit.T - 2 * torch.eye(40)
    loss = loss + t.shape[1] / 2 * 0.3 * torch.mean(cosines.max(dim=1).values ** 2)
    for k, (made, expected) in enumerate(zip(gradients, slopes(loss, leaves), strict=True)):
        np.testing.assert_allclose(made, expected, atol=1e-12, err_msg=parameters._fields[k])


def unrolled(rows, atoms, count, positive):
    """What the pursuit leaves, step by step; values stay in the graph, choices do not."""
    code = torch.zeros((rows.shape[0], atoms.shape[0]), dtype=rows.dtype)
    for _ in range(count):
        change = rows @ atoms.T
        kept = torch.maximum(change, -code) if positive else change
        gain = (2 * change - kept) * kept
        place = gain.argmax(dim=1, keepdim=True)
        value = kept.gather(1, place)
        code = code.scatter_add(1, place, value)
        rows = rows - value * atoms[place[:, 0]]
    return rows


@pytest.mark.parametrize("positive", [True, False])
def test_pursuit_with_dead_latents(positive):
    parameters, X, _ = naive.problem(7, n_signals=50, n_features=16, n_latents=40)
    gradients = zeros_like(parameters)
    term = AuxiliaryPursuit(500, 3, 0.5, signed=not positive)
    pursuit_loss_and_gradients(
        parameters, X, X, MatchingPursuit(12, not positive), gradients, terms=(term,), life=life()
    )
    leaves = graph(parameters)
    unit = leaves.decoder / torch.linalg.norm(leaves.decoder, dim=1, keepdim=True)
    error = unrolled(torch.tensor(X) - leaves.decoder_bias, unit, 12, positive)
    loss = 0.5 * torch.mean(torch.sum(error**2, dim=1))
    left = unrolled(error.detach(), unit[DEAD], 1, positive)  # five are dead
    loss = loss + 0.5 * auxiliary(error, error.detach() - left)
    of_decoder, of_bias = slopes(loss, leaves)[2:4]
    np.testing.assert_allclose(naive.along_sphere(gradients.decoder, parameters.decoder), of_decoder, atol=1e-12)
    np.testing.assert_allclose(gradients.decoder_bias, of_bias, atol=1e-12)
