"""The command line: ``python -m sparsecode demo | info | bench``."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

__all__ = ["main"]


def main(arguments=None) -> int:
    """Run one command; the exit status is zero if all went well."""
    parser = _parser()
    chosen, rest = parser.parse_known_args(arguments)
    if rest and chosen.command != "bench":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return chosen.run(chosen, rest)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m sparsecode", description="Sparse coding and sparse recovery with certificates."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo | info | bench")
    demo = commands.add_parser(
        "demo",
        help="denoise a photograph, recover an MRI slice and a planted vector; a table and a picture (half a minute)",
    )
    demo.add_argument("--output", default="sparsecode_demo.png", help="where the picture goes (default: %(default)s)")
    demo.set_defaults(run=_demo)
    info = commands.add_parser("info", help="print versions, threads, array backends and the cache folder")
    info.set_defaults(run=_info)
    bench = commands.add_parser(
        "bench", add_help=False, help="run the benchmarks of a checkout; further arguments go to benchmarks/run.py"
    )
    bench.set_defaults(run=_bench)
    return parser


def _demo(chosen, rest):
    from ._demo import run

    output = Path(chosen.output).resolve()
    if not output.parent.is_dir():
        return _fail(
            f"--output is {chosen.output}, but the folder {output.parent} does not exist; create it or choose another."
        )
    try:
        return run(output)
    except ModuleNotFoundError as error:  # matplotlib or Pillow: the message names the extra
        return _fail(str(error))


def _info(chosen, rest):
    from ._info import describe

    sys.stdout.write(describe() + "\n")
    return 0


def _bench(chosen, rest):
    for root in (Path(__file__).resolve().parents[1], Path.cwd()):
        script = root / "benchmarks" / "run.py"
        if script.is_file():
            return _run_script(script, rest)
    return _fail(
        "the benchmarks are not part of the installed package: run this from a checkout of the repository, "
        "where `make bench` also installs the peers that the figures are ratios to."
    )


def _run_script(script, arguments):
    """Call ``main(arguments)`` of a script, with its folder on the path as if it had been started itself."""
    sys.path.insert(0, str(script.parent))
    try:
        return int(runpy.run_path(str(script))["main"](arguments) or 0)
    finally:
        sys.path.remove(str(script.parent))


def _fail(message):
    sys.stderr.write(f"sparsecode: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
