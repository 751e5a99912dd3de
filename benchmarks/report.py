"""The table: what was measured, on what, with which versions, by which command."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

__all__ = ["BEGIN", "END", "in_one_line", "machine", "markdown", "versions", "write_between_markers"]

BEGIN = "<!-- benchmark table: begin -->"
END = "<!-- benchmark table: end -->"
_DISTRIBUTIONS = ("numpy", "scipy", "numba", "scikit-learn", "celer", "skglm", "spams-bin", "POT", "regot")


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
    """Versions of Python, of ourselves and of everything compared."""
    import sparsecode

    found = {"python": platform.python_version(), "sparsecode": sparsecode.__version__}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def markdown(document) -> str:
    """Table, first calls, and the conditions, as Markdown."""
    lines = [
        "| job | threads | ours | peer | figure, median [quartiles] | asked | met | certificate ours / peer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in document["rows"]]
    if document["first_calls"]:
        lines += [
            "",
            "| first call beyond a steady one | nothing cached | second process | steady |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {each['job']} | {_cold(each)} | {each['second']:.2f} s | {_duration(each['steady'])} |"
            for each in document["first_calls"]
        ]
    if document["smoke"]:
        lines += ["", "**A smoke run:** the problems are tiny and the figures mean nothing."]
    rejected = sum(row["rejected"] for row in document["rows"])
    lines += ["", _conditions(document, rejected)]
    notes = list(dict.fromkeys(f"{row['problem']}: {row['note']}" for row in document["rows"] if row["note"]))
    if notes:
        lines += ["", "<details><summary>Notes</summary>", "", *[f"* {note}" for note in notes], "", "</details>"]
    lines += [f"\n**Not measured:** {failure}" for failure in document["failures"]]
    return "\n".join(lines)


def _cold(first_call):
    return f"{first_call['cold']:.2f} s" if "cold" in first_call else "not measured"


def _conditions(document, rejected):
    made_on, tools = document["machine"], document["versions"]
    memory = f", {made_on['memory_gib']} GiB" if made_on["memory_gib"] else ""
    dropped = (
        f"{rejected} pairs were rejected because an answer missed its certificate."
        if rejected
        else "No pair was rejected for a missed certificate."
    )
    return (
        f"`{document['command']}` in {document['seconds'] / 60:.1f} minutes on {made_on['processor']}, {made_on['cores']} cores"
        f"{memory}, {made_on['system']}; " + ", ".join(f"{name} {version}" for name, version in tools.items()) + ". "
        "A figure in × is the peer's time over ours unless the job says what it is; runs are interleaved, warm, and held to a "
        f"certificate recomputed from both answers. {dropped}"
    )


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
    return f"{row['problem']} | {row['threads']} threads | against {row['peer']}: {_figure(row)}{asked}"


def write_between_markers(path, text):
    """Replace what stands between the two markers of a file; an error if they are not there, once each, in order."""
    path = Path(path)
    content = path.read_text()
    if content.count(BEGIN) != 1 or content.count(END) != 1 or content.index(BEGIN) > content.index(END):
        raise ValueError(f"{path} must contain the lines {BEGIN} and {END}, once each and in this order.")
    head, rest = content.split(BEGIN)
    tail = rest.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")
