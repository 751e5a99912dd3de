"""Run the benchmarks: ``python benchmarks/run.py``, ``python -m sparsecode bench`` or ``make bench``.

Every job runs in a process of its own for each thread count, with the BLAS and OpenMP threads pinned by the environment
before anything is loaded. What a process measured comes back as JSON; the table is made here.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

from benchmarks import records, report  # noqa: E402
from benchmarks.jobs import NAMES, load  # noqa: E402
from benchmarks.measure import Setting, progress  # noqa: E402

__all__ = ["main"]

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_JOB_SECONDS = 1800  # a job that hangs is ended
_TRIAL_SECONDS = 60  # which one that was asked for many trials may need for each


def main(argv=None) -> int:
    """Run what the command line asks for; 0 if every job ended, 1 if one failed, 2 for a bad command line."""
    arguments = _parser().parse_args(argv)
    if arguments.child:
        return _child(arguments)
    if arguments.render:
        return _render()
    if arguments.smoke and arguments.record:
        _parser().error("--record keeps no figures of a smoke run: leave one of the two out")
    pairs = arguments.pairs or (2 if arguments.smoke else 20)
    threads_asked = arguments.threads or _thread_counts("all" if arguments.smoke else "1,all")
    command = shlex.join(["python", "benchmarks/run.py", *(sys.argv[1:] if argv is None else argv)])
    entries, failures = [], []
    measured = partial(_measured, pairs=pairs, threads_asked=threads_asked, arguments=arguments, command=command)
    with ThreadPoolExecutor(max(_thread_counts("all")) if arguments.smoke else 1) as pool:  # what is timed is alone
        for found, missed in pool.map(measured, arguments.jobs):
            entries += found
            failures += missed
    table = report.markdown(entries, failures, arguments.smoke)
    print(table)
    if arguments.output is not None:
        arguments.output.write_text(json.dumps({"entries": [each._asdict() for each in entries], "failures": failures}))
        progress(f"written: {arguments.output}")
    if arguments.record:
        _render()
    return 1 if failures else 0


def _measured(name, *, pairs, threads_asked, arguments, command):
    """Entries and failures of one job; an entry that came to its end is kept at once, if asked."""
    wanted = [str(threads) for threads in (threads_asked if load(name).threaded else threads_asked[:1])]
    entries, failures = [], []
    for kind in [*wanted, *([records.FIRST_CALL] if load(name).first_call is not None else [])]:
        entry, error = _process(name, kind, pairs, arguments, command)
        failures += [f"{name}, {_kind_in_words(kind)}: {error}"] if error else []
        entries += [entry] if entry.found else []
        if arguments.record and not error:
            records.keep([entry])
    return entries, failures


def _process(name, kind, pairs, arguments, command):
    """What one process of a job found, with its conditions; and its error, "" if it came to its end."""
    progress(f"{name}, {_kind_in_words(kind)}")
    began = time.perf_counter()
    if kind == records.FIRST_CALL:
        found = _first_calls(name, arguments.smoke)
    else:
        found = _in_child(name, int(kind), pairs, arguments.smoke, trials=arguments.trials)
    error = found.pop("error", "")
    seconds = time.perf_counter() - began
    progress(f"{name}, {_kind_in_words(kind)}: {seconds:.0f} s")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    made_on = (report.machine(), report.versions())
    return records.Entry(name, kind, command, today, seconds, *made_on, found, arguments.beside), error


def _render():
    """Write the README's lines and the tables in full from what is kept."""
    entries = records.kept()
    report.write_between_markers(ROOT / "README.md", report.in_short(entries))
    (ROOT / "benchmarks" / "RESULTS.md").write_text(report.in_full(entries) + "\n")
    progress("written: README.md (the section of benchmarks) and benchmarks/RESULTS.md")
    return 0


def _kind_in_words(kind):
    return kind if kind == records.FIRST_CALL else _threads_in_words(int(kind))


def _threads_in_words(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"


def _parser():
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=_job_names, default=list(NAMES), help=f"comma-separated, of {', '.join(NAMES)}")
    parser.add_argument("--pairs", type=_positive, default=None, help="interleaved pairs (20; 2 in a smoke run)")
    parser.add_argument(
        "--trials", type=_positive, default=None, help="of jobs that count successes (their own number)"
    )
    parser.add_argument("--threads", type=_thread_counts, default=None, help="1,all; in a smoke run all")
    parser.add_argument("--smoke", action="store_true", help="tiny problems: does every job still run?")
    parser.add_argument("--output", type=Path, default=None, help="write everything measured as JSON")
    parser.add_argument("--record", action="store_true", help="keep the figures, and write README.md and RESULTS.md")
    parser.add_argument("--render", action="store_true", help="only write README.md and RESULTS.md from what is kept")
    parser.add_argument("--beside", default="", help="what else ran meanwhile, kept with the figures")
    parser.add_argument("--child", choices=("rows", "first-call"), default=None, help=argparse.SUPPRESS)
    return parser


def _job_names(text):
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"no job is called {', '.join(unknown) or text!r}; the jobs are {', '.join(NAMES)}"
        )
    return names


def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a positive whole number is needed, not {text!r}")
    return int(text)


def _thread_counts(text):
    """Distinct thread counts, in the order given; "all" is every core this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = [cores if part.strip() == "all" else _positive(part.strip()) for part in text.split(",")]
    return list(dict.fromkeys(counts))


def _in_child(name, threads, pairs, smoke, kind="rows", env=None, trials=None):
    """What a fresh process with pinned threads measured, or ``{"error": ...}``."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "found.json"
        command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--child", kind, "--jobs", name]
        command += ["--threads", str(threads), "--pairs", str(pairs), "--output", str(output)]
        command += ["--smoke"] if smoke else []
        command += ["--trials", str(trials)] if trials else []
        pinned = dict.fromkeys(_THREAD_VARIABLES, str(threads))
        environment = {**os.environ, **pinned, "PYTHONPATH": str(ROOT), **(env or {})}
        try:
            seconds = max(_JOB_SECONDS, _TRIAL_SECONDS * (trials or 0))
            done = subprocess.run(command, env=environment, cwd=ROOT, timeout=seconds, check=False)
            ended = f"exit status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            ended = f"ended after {seconds} s"
        found = json.loads(output.read_text()) if output.exists() else {"error": "nothing was measured"}
        return {**found, "error": ended} if ended else found


def _first_calls(name, smoke):
    """Seconds of our first call beyond a steady one, in a process that finds nothing compiled and in the next one.

    A smoke run is content with whatever is compiled already.
    """
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        env = {} if smoke else {"SPARSECODE_CACHE_DIR": cache, "NUMBA_CACHE_DIR": cache}
        for process in ("second",) if smoke else ("cold", "second"):
            made = _in_child(name, 1, 1, smoke, kind="first-call", env=env)
            if "error" in made:
                return made
            found[process] = made["first"] - made["steady"]
            found["steady"] = made["steady"]
    return found


def _child(arguments):
    """Inside the pinned process: measure one job; write what was found, up to the error if there was one."""
    job = load(arguments.jobs[0])
    setting = Setting(arguments.pairs, arguments.threads[0], arguments.smoke, arguments.trials)
    found = {"rows": []}
    try:
        if arguments.child == "first-call":
            found = _timed_first(job.first_call(setting))
        else:
            for row in job.rows(setting):
                if setting.smoke:
                    row.met = None  # tiny problems are held to nothing
                found["rows"].append(row.as_dict())
                arguments.output.write_text(json.dumps(found))  # kept if the job does not come to its end
                progress(f"  {report.in_one_line(found['rows'][-1])}")
    except Exception as error:  # the parent reports it and goes on with the other jobs
        traceback.print_exc()
        found["error"] = f"{type(error).__name__}: {error}"
    arguments.output.write_text(json.dumps(found))
    return 0


def _timed_first(call):
    marks = [time.perf_counter()]
    for _ in range(4):
        call()
        marks.append(time.perf_counter())
    steps = [after - before for before, after in itertools.pairwise(marks)]
    return {"first": steps[0], "steady": min(steps[1:])}


if __name__ == "__main__":
    sys.exit(main())
