"""The tables: what was measured, on what, with which versions, by which command.

`markdown` is the table of a run; `in_full` that of everything kept, a section a job; `in_short` the README's, a line for
everything that was asked of a job, with its worst and its best figure.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections import Counter
from pathlib import Path

from .jobs import NAMES, TITLES

__all__ = [
    "BEGIN",
    "END",
    "in_full",
    "in_one_line",
    "in_short",
    "machine",
    "markdown",
    "versions",
    "write_between_markers",
]

BEGIN = "<!-- benchmark table: begin -->"
END = "<!-- benchmark table: end -->"
_DISTRIBUTIONS = (
    *("numpy", "scipy", "numba", "scikit-learn", "celer", "skglm", "spams-bin", "adelie", "POT", "regot", "ksvd"),
    *("alphacsc", "cvxpy", "torch"),
)
_RULES = (
    "A figure in × is the peer's time over ours unless the job says what it is; runs are interleaved, warm, and held to a "
    "certificate recomputed from both answers."
)


def machine() -> dict:
    """Processor, cores this process may use, memory and system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor(),
        "cores": cores,
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _memory_gib():
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _processor():
    """Name of the processor, with the family and model where the name alone says little."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name", platform.machine())
    return f"{name} (family {fields['cpu family']}, model {fields['model']})" if "cpu family" in fields else name


def versions() -> dict:
    """Versions of Python, of ourselves and of everything compared that is installed."""
    import sparsecode

    found = {"python": platform.python_version(), "sparsecode": sparsecode.__version__}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def markdown(entries, failures=(), smoke=False) -> str:
    """The table of a run, with its first calls and conditions, as Markdown."""
    rows = [row for entry in entries for row in entry.rows]
    lines = [*_table(rows), *_first_calls(entries)]
    if smoke:
        lines += ["", "**A smoke run:** the problems are tiny and the figures mean nothing."]
    lines += ["", *[f"{text} {_RULES} {_rejections(rows)}" for text in _conditions(entries)], *_notes(rows)]
    lines += [f"\n**Not measured:** {failure}" for failure in failures]
    return "\n".join(lines)


def in_full(entries) -> str:
    """Everything kept, a section a job; the commonest machine and versions are said once."""
    rows = [row for entry in entries for row in entry.rows]
    usual = Counter(_where(entry) for entry in entries).most_common(1)[0][0]
    lines = [
        "# Benchmarks, in full",
        "",
        f"Written by `python benchmarks/run.py --record`. {_RULES} {_rejections(rows)}",
    ]
    lines += ["", f"Where a section does not say otherwise: {usual}."]
    for name in NAMES:
        own = [entry for entry in entries if entry.job == name]
        if own:
            rows = [row for entry in own for row in entry.rows]
            lines += ["", f"## {TITLES[name]} (`{name}`)", "", *(_table(rows) if rows else []), *_first_calls(own)]
            lines += ["", *_conditions(own, usual), *_notes(rows)]
    return "\n".join(lines)


def in_short(entries) -> str:
    """A line for everything asked of a job, its worst and best figure, and every figure that fell short."""
    lines = ["| job | against | asked | one thread | two or more threads |", "|---|---|---|---|---|"]
    short = []
    for name in NAMES:
        rows = [row for entry in entries if entry.job == name for row in entry.rows if row["ask"]]
        for ask, unit in dict.fromkeys((row["ask"], row["unit"]) for row in rows):
            asked = [row for row in rows if (row["ask"], row["unit"]) == (ask, unit)]
            peers = dict.fromkeys(row["peer"] for row in asked if row["peer"] not in ("", "none"))
            problems = list(dict.fromkeys(row["problem"] for row in asked))
            what = problems[0] if len(problems) == 1 else TITLES[name]
            cells = [_range([row for row in asked if (row["threads"] == 1) == alone]) for alone in (True, False)]
            lines.append(f"| {what} | {'; '.join(peers)} | {ask} | {' | '.join(cells)} |")
        short += [row for row in rows if row["met"] is False]
    met = sum(bool(row["met"]) for entry in entries for row in entry.rows)
    lines += ["", f"**{met} of {met + len(short)} figures meet what was asked of them; these fall short:**", ""]
    lines += [f"* {in_one_line(row)}" for row in short] or ["* none"]
    return "\n".join(lines + ["", _in_common(entries)])


def _range(rows):
    """Worst and best figure of some rows, and how many of them there are."""
    figures = sorted(row["value"] for row in rows if row["value"] is not None)
    if not rows:
        return ""
    if not figures:
        return "not measured"
    unit = "×" if rows[0]["unit"] == "x" else f" {rows[0]['unit']}"
    ends = dict.fromkeys(f"{_number(figure)}{unit}" for figure in (figures[0], figures[-1]))
    many = f" ({sum(bool(row['met']) for row in rows)} of {len(rows)})" if len(rows) > 1 or not rows[0]["met"] else ""
    return f"{' to '.join(ends)}{many}"


def _table(rows):
    return [
        "| job | threads | ours | peer | figure, median [quartiles] | asked | met | certificate ours / peer |",
        "|---|---|---|---|---|---|---|---|",
        *[_line(row) for row in rows],
    ]


def _first_calls(entries):
    found = [entry for entry in entries if "second" in entry.found]
    if not found:
        return []
    head = ["", "| first call beyond a steady one | nothing cached | second process | steady |", "|---|---|---|---|"]
    cells = [
        (entry.job, _cold(entry.found), entry.found["second"], _duration(entry.found["steady"])) for entry in found
    ]
    return head + [f"| {job} | {cold} | {second:.2f} s | {steady} |" for job, cold, second, steady in cells]


def _cold(first_call):
    return f"{first_call['cold']:.2f} s" if "cold" in first_call else "not measured"


def _notes(rows):
    notes = list(dict.fromkeys(f"{row['problem']}: {row['note']}" for row in rows if row["note"]))
    return (
        ["", "<details><summary>Notes</summary>", "", *[f"* {note}" for note in notes], "", "</details>"]
        if notes
        else []
    )


def _rejections(rows):
    rejected = sum(row["rejected"] for row in rows)
    if not rejected:
        return "No pair was rejected for a missed certificate."
    return (
        f"{rejected} {'pair was' if rejected == 1 else 'pairs were'} rejected because an answer missed its certificate."
    )


def _conditions(entries, usual=""):
    """A sentence for every set of conditions: the commands, the dates, the machine and versions unless they are `usual`."""
    groups: dict[tuple, list] = {}
    for entry in entries:
        where = "" if _where(entry) == usual else f" on {_where(entry)}"
        groups.setdefault((where, entry.beside), []).append(entry)
    return [
        f"{', '.join(dict.fromkeys(f'`{each.command}`' for each in own))}{_when(own)}{where}{beside and f', {beside}'}."
        for (where, beside), own in groups.items()
    ]


def _where(entry):
    return f"{_in_words(entry.machine)}; {', '.join(f'{name} {version}' for name, version in entry.versions.items())}"


def _in_common(entries):
    """What the README says of the conditions: the machines, and the dates from the first to the last."""
    machines = Counter(_in_words(entry.machine) for entry in entries)
    days = sorted(entry.measured for entry in entries if entry.measured)
    return (
        f"Measured from {days[0]} to {days[-1]} on {' and on '.join(machines)}. {_RULES} Every row, with the command, the "
        "versions and the notes that belong to it, stands in [benchmarks/RESULTS.md](benchmarks/RESULTS.md)."
    )


def _when(entries):
    days = "; ".join(dict.fromkeys(entry.measured for entry in entries if entry.measured))
    seconds = [entry.seconds for entry in entries if entry.seconds is not None]
    return f" in {sum(seconds) / 60:.1f} minutes ({days})" if seconds else f" ({days})"


def _in_words(made_on):
    memory = f", {made_on['memory_gib']} GiB" if made_on["memory_gib"] else ""
    return f"{made_on['processor']}, {made_on['cores']} cores{memory}, {made_on['system']}"


def _line(row):
    met = {True: "yes", False: "**no**", None: ""}[row["met"]]
    cells = [
        row["problem"],
        str(row["threads"]),
        _quantity(row, "ours"),
        _peer(row),
        _figure(row),
        row["ask"],
        met,
        _certificates(row),
    ]
    return "| " + " | ".join(cells) + " |"


def _quantity(row, who):
    value = row[who]
    if value is None:
        return ""
    return f"{value / 2**20:.0f} MiB" if row["unit"] == "MiB" else _duration(value)


def _peer(row):
    theirs = _quantity(row, "theirs")
    others = "".join(f"; {name} {_duration(value)}" for name, value in row["others"].items())
    return f"{row['peer']}{' ' + theirs if theirs else ''}{others}"


def _figure(row):
    if row["value"] is None and not row["rejected"]:
        return "not measured"
    if row["value"] is None:
        return f"none: {row['rejected']} of {row['rejected']} pairs rejected"
    unit = "×" if row["unit"] == "x" else f" {row['unit']}"
    spread = "" if row["low"] is None else f" [{_number(row['low'])}, {_number(row['high'])}]"
    rejected = f"; {row['rejected']} of {row['pairs'] + row['rejected']} pairs rejected" if row["rejected"] else ""
    return f"{_number(row['value'])}{unit}{spread}{rejected}"


def _number(value):
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _duration(seconds):
    if seconds < 1e-3:
        return f"{seconds * 1e6:.2f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _certificates(row):
    if row["certificate"] is None:
        return ""
    if row["peer_certificate"] is None:
        return f"{row['certificate_name']}: {row['certificate']:.0e}"
    limit = "" if row["tol"] is None else f" (≤ {row['tol']:.0e})"
    return f"{row['certificate_name']} {row['certificate']:.0e} / {row['peer_certificate']:.0e}{limit}"


def in_one_line(row) -> str:
    """A row for the terminal."""
    asked = f" (asked {row['ask']}: {'met' if row['met'] else 'not met'})" if row["met"] is not None else ""
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    against = f" | against {row['peer']}" if row["peer"] else ""
    return f"{row['problem']} | {threads}{against}: {_figure(row)}{asked}"


def write_between_markers(path, text):
    """Replace what stands between the two markers of a file; an error if they are not there, once each, in order."""
    path = Path(path)
    content = path.read_text()
    if content.count(BEGIN) != 1 or content.count(END) != 1 or content.index(BEGIN) > content.index(END):
        raise ValueError(f"{path} must contain the lines {BEGIN} and {END}, once each and in this order.")
    head, rest = content.split(BEGIN)
    tail = rest.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")
