"""Contrast between codes: its value spelt out, its gradient against differences and autodiff, what it wants of labels."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode.solvers.autoencoder.activations import TopK
from sparsecode.solvers.autoencoder.contrast import Contrast, Leading, contrast_of
from sparsecode.solvers.autoencoder.gradients import loss_and_gradients
from sparsecode.solvers.autoencoder.parameters import Parameters, zeros_like

LABELS = np.array([0, 1, 0, 2, 1, 0, 3])  # 2 and 3 are alone


def codes_of(n, m, density=0.4):
    rng = np.random.default_rng(n)
    return sp.random_array((n, m), density=density, random_state=rng, format="csr", data_sampler=rng.standard_normal)


def signals():
    return np.random.default_rng(1).standard_normal((7, 5))


def spelt_out(codes, wanted, temperature):
    """The definition, pair by pair."""
    total, count = 0.0, 0
    for i, row in enumerate(wanted):
        others = np.flatnonzero(~np.isnan(row))
        if others.size == 0:
            continue
        scores = []
        for j in others:
            norms = np.linalg.norm(codes[i]) * np.linalg.norm(codes[j])
            scores.append(codes[i] @ codes[j] / norms / temperature if norms > 0 else 0.0)
        shares = np.exp(scores) / np.sum(np.exp(scores))
        total += sum(q * np.log(q / p) for q, p in zip(row[others], shares, strict=True) if q > 0)
        count += 1
    return total / count


def all_wanted():
    labelled = Contrast(1.0, 0.3, "self")
    labelled.labels = LABELS
    return [
        contrast.wanted(signals())
        for contrast in (Contrast(1.0, 0.3, "self"), Contrast(1.0, 0.3, "neighbours"), labelled)
    ]


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["self", "neighbours", "labels"])
def test_the_value_is_the_divergence_and_its_slopes_are_its_differences(kind):
    codes, wanted = codes_of(7, 9), all_wanted()[kind]
    codes.data[codes.indptr[3] : codes.indptr[4]] = 0.0  # a code without entries
    codes.eliminate_zeros()
    value, slopes = contrast_of(codes, wanted, 0.3)
    assert value > 0
    assert value == pytest.approx(spelt_out(codes.toarray(), wanted, 0.3))
    for place in range(codes.nnz):
        moved = []
        for step in (1e-6, -1e-6):
            other = codes.copy()
            other.data[place] += step
            moved.append(spelt_out(other.toarray(), wanted, 0.3))
        assert slopes[place] == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-4, abs=1e-8)


def test_wanted_shares_are_those_of_the_definition():
    X = signals()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    near = np.exp(unit @ unit.T / 0.3)
    np.fill_diagonal(near, 0.0)
    wanted = Contrast(1.0, 0.3, "neighbours").wanted(X)
    np.testing.assert_allclose(np.nan_to_num(wanted), near / near.sum(axis=1, keepdims=True))
    assert np.isnan(np.diag(wanted)).all()
    labelled = all_wanted()[2]
    np.testing.assert_allclose(np.nan_to_num(labelled[0]), [0, 0, 0.5, 0, 0, 0.5, 0])
    assert np.isnan(labelled[[3, 6]]).all()  # alone with their labels


def test_codes_as_alike_as_their_signals_cost_nothing():
    codes = codes_of(6, 8)
    value, slopes = contrast_of(codes, Contrast(1.0, 0.2, "neighbours").wanted(codes.toarray()), 0.2)
    assert value == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-12)


def test_info_nce_is_what_torch_says():
    torch = pytest.importorskip("torch")
    codes = codes_of(7, 9, density=0.6)
    dense = torch.tensor(codes.toarray(), requires_grad=True)
    unit = torch.nn.functional.normalize(dense)
    loss = torch.nn.functional.cross_entropy(unit @ unit.T / 0.2, torch.arange(7))
    loss.backward()
    value, slopes = contrast_of(codes, np.eye(7), 0.2)
    assert value == pytest.approx(loss.item())
    rows = np.repeat(np.arange(7), np.diff(codes.indptr))
    np.testing.assert_allclose(slopes, dense.grad.numpy()[rows, codes.indices], rtol=1e-9, atol=1e-12)


def test_one_signal_alone_has_no_contrast():
    assert Contrast(1.0, 0.2, "neighbours").wanted(np.ones((1, 3))).shape == (1, 1)
    assert contrast_of(codes_of(1, 4), np.full((1, 1), np.nan), 0.2)[0] == 0.0


def parameters_of(d, m):
    rng = np.random.default_rng(2)
    decoder = rng.standard_normal((m, d))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    return Parameters(
        decoder + 0.1 * rng.standard_normal((m, d)), 0.1 * rng.standard_normal(m), decoder, np.zeros(d), np.zeros(m)
    )


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("positives", ["self", "neighbours"])
def test_the_whole_objective_has_the_gradient_that_autodiff_has(positives, labels):
    torch = pytest.importorskip("torch")
    X, start = signals(), parameters_of(5, 12)
    contrast = Contrast(0.7, 0.3, positives)
    contrast.labels = labels
    gradients = zeros_like(start)
    objective, made = loss_and_gradients(
        start, X, X, TopK(6), gradients, structure=Leading(2, 6), terms=(contrast,), life=None
    )
    encoder, bias, decoder, offset = (torch.tensor(part, requires_grad=True) for part in start[:4])
    x = torch.tensor(X)
    pre = x @ encoder.T + bias
    top = torch.topk(torch.relu(pre), 6, dim=1)
    loss = 0.0
    for k, weight in ((2, 1.0), (6, 0.125)):
        z = torch.zeros_like(pre).scatter(1, top.indices[:, :k], top.values[:, :k])
        loss = loss + 0.5 * weight * ((z @ decoder + offset - x) ** 2).sum() / 7
        if k == 2:
            unit = torch.nn.functional.normalize(z)
            wanted = contrast.wanted(X)
            scores = torch.where(torch.tensor(np.isnan(wanted)), -torch.inf, unit @ unit.T / 0.3)
            rows = ~np.isnan(wanted).all(axis=1)
            shares = torch.nan_to_num(torch.log_softmax(scores[rows], dim=1), neginf=0.0)
            q = np.nan_to_num(wanted[rows])
            entropy = np.sum(q[q > 0] * np.log(q[q > 0]))
            loss = loss + 0.5 * 5 * 0.7 * (entropy - (torch.tensor(q) * shares).sum()) / rows.sum()
    loss.backward()
    assert objective == pytest.approx(loss.item())
    assert np.max(made.levels) == 1
    for part, expected in zip(gradients, (encoder, bias, decoder, offset), strict=False):
        np.testing.assert_allclose(part, expected.grad.numpy(), rtol=1e-9, atol=1e-12)
