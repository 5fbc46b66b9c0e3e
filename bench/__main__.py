"""`python -m bench [FIGURE ...]`: measure, print one JSON line per figure, keep the table of docs/BENCHMARKS.md true."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import anyio

from bench import report
from bench.catalog import NAMES
from bench.figures import MEASURES, OWN_SYSTEMS
from bench.report import Result
from bench.session import Options, say, session


async def measure(names: Sequence[str], options: Options) -> list[Result]:
    """These figures, in the order of the catalogue; each is printed when it is known."""
    results: dict[str, Result] = {}
    wanted = [name for name in NAMES if name in names]
    async with session(options, databases=not OWN_SYSTEMS.issuperset(wanted)) as running:
        for name in wanted:
            if name in results:
                continue
            say(name)
            for result in await MEASURES[name](running):
                results[result.name] = result
                if result.name in wanted:
                    print(report.line(result), flush=True)
    return [results[name] for name in wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 when a figure is not as good as it has to be and `--strict` is given."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"one of {', '.join(NAMES)}; none: all")
    parser.add_argument("--scale", type=float, default=1.0, help="all sizes times this; writes no docs")
    parser.add_argument("--runs", type=int, help="how often each is measured; writes no docs")
    parser.add_argument("--no-sling", action="store_true", help="leave sling out")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/BENCHMARKS.md as it is")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a figure falls short")
    given = parser.parse_args(arguments)
    if unknown := set(given.figures) - set(NAMES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    options = Options(scale=given.scale, runs=given.runs, sling=not given.no_sling)
    results = anyio.run(measure, given.figures or NAMES, options)
    if given.scale == 1 and given.runs is None and not given.no_docs:
        report.write_page(results)
    short = [result.name for result in results if not report.kept(result)]
    if short:
        print(f"short of what has to be reached: {', '.join(short)}", file=sys.stderr)
    return 1 if short and given.strict else 0


if __name__ == "__main__":
    sys.exit(main())
