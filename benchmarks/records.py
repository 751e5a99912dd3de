"""What was measured, kept with its conditions: a JSON file a job in ``benchmarks/results``, an entry for each thread count.

An entry holds the rows of one process, or the seconds of first calls, with the command, the date, the machine and the
versions. Measuring a job again replaces its entry whole, so no figure stands beside conditions that were not its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from .jobs import NAMES

__all__ = ["FIRST_CALL", "FOLDER", "Entry", "keep", "kept"]

FOLDER = Path(__file__).resolve().parent / "results"
FIRST_CALL = "first call"


class Entry(NamedTuple):
    """One process of a job.

    `kind` is the number of threads in words of the file ("1", "2"), or "first call"; `found` has the rows of the table,
    or the seconds of a first call; `beside` says what else ran meanwhile, if anything did.
    """

    job: str
    kind: str
    command: str
    measured: str
    seconds: float | None
    machine: dict[str, Any]
    versions: dict[str, str]
    found: dict[str, Any]
    beside: str = ""

    @property
    def rows(self):
        """Rows of the table; none for a first call."""
        return self.found.get("rows", [])


def keep(entries, folder=None):
    """Write the entries into the files of their jobs, each in the place of the entry of its kind."""
    folder = folder or FOLDER
    folder.mkdir(exist_ok=True)
    for entry in entries:
        path = folder / f"{entry.job}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        known[entry.kind] = {key: value for key, value in entry._asdict().items() if key not in ("job", "kind")}
        path.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n")


def kept(folder=None) -> list[Entry]:
    """Every entry there is, in the order of the jobs; an error if a file belongs to no job."""
    folder = folder or FOLDER
    strangers = sorted(path.name for path in folder.glob("*.json") if path.stem not in NAMES)
    if strangers:
        raise ValueError(f"{folder} holds {', '.join(strangers)}, which no job is called after: rename or remove it.")
    paths = [path for path in (folder / f"{name}.json" for name in NAMES) if path.exists()]
    return [Entry(path.stem, kind, **entry) for path in paths for kind, entry in json.loads(path.read_text()).items()]
