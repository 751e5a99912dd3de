"""
Waveforms that recur in long signals
====================================

In a long recording the same short events come back at times that nobody knows, overlap, and vary in size. Cutting windows out of it
and learning a dictionary of those would need every event at every shift. A convolutional dictionary has each waveform once, and the
codes say where it occurs.
"""

# %%
# Three waveforms, many events
# ----------------------------
# The recordings are made of three waveforms at random times, with noise as strong as a tenth of them.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import ConvolutionalDictionaryLearning

time = np.linspace(-1, 1, 48)
window = np.cos(np.pi * time / 2) ** 2
waveforms = np.array(
    [window * np.sin(9 * time), window * np.sign(np.sin(14 * time + 1)), window * np.exp(-40 * time**2)]
)
waveforms /= np.linalg.norm(waveforms, axis=1, keepdims=True)

rng = np.random.default_rng(0)
codes = np.where(rng.random((30, 3, 953)) < 0.006, rng.uniform(0.5, 2.0, (30, 3, 953)), 0.0)
clean = np.array([sum(np.convolve(z, w) for z, w in zip(code, waveforms, strict=True)) for code in codes])
recordings = clean + 0.02 * rng.standard_normal(clean.shape)

# %%
# Learn them
# ----------
# ``alpha`` is a share of the strength from which on nothing would be coded. The signs of the events are known here, so the codes
# are asked not to be negative.

learner = ConvolutionalDictionaryLearning(
    3, atom_shape=64, alpha=0.05, positive_code=True, max_iter=100, random_state=1
).fit(recordings)
print(learner.status_.name, "after", learner.n_iter_, "iterations")
print(f"certificate of the atoms {learner.certificate_:.1e}, of the codes {learner.code_certificate_:.1e}")

# %%
# Atoms are known up to a shift within their window: for the picture, each is moved to where it fits a true one best.


def best_shift(atom, waveform):
    """The largest cosine of an atom with a waveform, and the waveform's place in the atom's window."""
    cosines = np.correlate(atom, waveform, "full") / np.linalg.norm(atom)
    return cosines.max(), int(cosines.argmax()) - waveform.size + 1


figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained", sharey=True)
matches = []
for axis, waveform in zip(axes, waveforms, strict=True):
    fits = [best_shift(atom, waveform) for atom in learner.components_]
    found = int(np.argmax([cosine for cosine, _ in fits]))
    cosine, shift = fits[found]
    axis.plot(np.arange(48) + shift, waveform, linewidth=4, alpha=0.4, label="true")
    axis.plot(learner.components_[found] / np.linalg.norm(learner.components_[found]), label="learned")
    axis.set(xlabel="sample", title=f"cosine {cosine:.4f}")
    matches.append(cosine)
axes[0].legend()
assert min(matches) > 0.97

# %%
# Codes are events
# ----------------
# `transform` gives one row of codes for each recording; its shape as an array, (atoms, places), is ``code_shape_``.

found = learner.transform(recordings[:1]).reshape(learner.code_shape_)
print(
    f"{np.count_nonzero(found)} coefficients for {np.count_nonzero(codes[0])} events of {recordings.shape[1]} samples"
)

figure, axes = plt.subplots(2, 1, figsize=(10, 5), layout="constrained", sharex=True)
axes[0].plot(recordings[0], linewidth=0.7, label="recording")
axes[0].plot(learner.inverse_transform(found.reshape(1, -1))[0], linewidth=1.2, label="what the codes say")
axes[0].legend(loc="upper right")
for k, code in enumerate(found):
    places = np.flatnonzero(code)
    axes[1].vlines(places, 0, code[places], color=f"C{k}", label=f"atom {k}")
axes[1].set(xlabel="sample", ylabel="coefficient")
axes[1].legend(loc="upper right")

# %%
# How it went
# -----------
# The objective falls in every iteration; its codes carry a duality gap each.

figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(learner.history_["iteration"], learner.history_["objective"], marker=".")
axis.set(xlabel="iteration", ylabel="mean objective", yscale="log")
