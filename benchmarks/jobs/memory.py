"""Peak memory of coding a million patches, against the size of the codes themselves (CSR).

A fresh process makes the patches, codes a few of them (so that libraries and compiled code are loaded), resets the high-water
mark of its resident memory where the system allows it, and codes all of them. What counts is the rise above the
memory held just before.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from ..measure import Ask, Row
from . import Job

__all__ = ["JOB", "high_water", "reset_high_water", "status"]

_MIB = 2**20
_N_ATOMS, _N_NONZERO = 256, 5


def _patches(n_patches):
    """Patches drawn with noise from a smaller set, filled in place: nothing else of their size is ever alive."""
    from ._patches import china_patches

    pool = china_patches(min(n_patches, 20_000))
    rng = np.random.default_rng(0)
    patches = np.empty((n_patches, pool.shape[1]))
    for start in range(0, n_patches, pool.shape[0]):
        block = patches[start : start + pool.shape[0]]
        np.copyto(block, pool[: block.shape[0]])
        block += 0.01 * rng.standard_normal(block.shape)
    return patches


def _coders(patches, threads):
    from sparsecode import Lq

    from ._patches import drawn_dictionary

    dictionary = drawn_dictionary(_N_ATOMS)

    def ours(algorithm, **settings):
        def code(signals):
            from sparsecode import SparseCoder

            options = {"sparse_output": True, "n_jobs": threads, **settings}
            return SparseCoder(dictionary, algorithm=algorithm, **options).fit(patches[:1]).transform(signals)

        return code

    def spams_omp(signals):
        import spams

        return spams.omp(signals.T, np.asfortranarray(dictionary.T), L=_N_NONZERO, eps=0.0, numThreads=threads).T

    return {
        "OMP": ours("omp", n_nonzero_coefs=_N_NONZERO),
        "elastic-net": ours("elastic_net", alpha=0.2, l1_ratio=0.9),
        "l_1/2": ours("penalty", penalty=Lq(0.02)),
        "SPAMS": spams_omp,
    }


def status(field):
    """A line of /proc/self/status in bytes, or None where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)


def high_water():
    """The largest resident memory so far, in bytes."""
    scale = 1 if sys.platform == "darwin" else 1024
    return status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def reset_high_water():
    """Lower the high-water mark to what is resident now (Linux); elsewhere it stays, and the rise is understated."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def measure(who, n_patches, threads):
    """In a fresh process: the rise of resident memory while coding, and the size of what came out."""
    patches = _patches(n_patches)
    code = _coders(patches, threads)[who]
    code(patches[:2_000])
    exact = reset_high_water()
    before = status("VmRSS") or high_water()
    codes = code(patches)
    rise = high_water() - before
    output = codes.data.nbytes + codes.indices.nbytes + codes.indptr.nbytes
    return {"rise": rise, "output": output, "exact": exact, "nnz": int(codes.nnz), "rows": int(codes.shape[0])}


def _in_fresh_process(who, n_patches, threads):
    command = [sys.executable, "-m", __name__, who, str(n_patches), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {who} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def rows(setting):
    n_patches = setting.size(1_000_000, 5_000)
    peer = _in_fresh_process("SPAMS", n_patches, setting.threads)
    ask = Ask(64.0, at_least=False, unit="MiB")
    for who in ("OMP", "elastic-net", "l_1/2"):
        made = _in_fresh_process(who, n_patches, setting.threads)
        beyond = (made["rise"] - made["output"]) / _MIB
        note = f"{made['rise'] / _MIB:.0f} MiB for an output of {made['output'] / _MIB:.0f} MiB"
        if who == "OMP":
            note += f"; SPAMS {peer['rise'] / _MIB:.0f} MiB for {peer['output'] / _MIB:.0f} MiB (its rule is OLS)"
        yield Row(
            job=JOB.name,
            problem=f"{who} codes of {n_patches:,} patches: peak memory beyond the CSR output",
            peer="the output itself",
            value=beyond,
            unit="MiB",
            ask=str(ask),
            met=ask.met(beyond),
            threads=setting.threads,
            ours=made["rise"],
            theirs=made["output"],
            pairs=1,
            note=note,
        )


JOB = Job("memory", rows)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
