"""Run the reference cases of some releases: ``python -m tests.conformance RELEASE… [--minors] [-k PATTERN] [-v] [-n MAX]``.

Prints per release how many agree and the first differences of those that do not.
"""

# ruff: noqa: T201 - printing is what it is for

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter

from tests.conformance.cases import Case, load, releases
from tests.conformance.judge import Verdict, judge
from tests.conftest import conformance_folder, minors_folder


def main() -> int:
    """Return 0 when every chosen case agrees."""
    arguments = _arguments()
    folder = minors_folder() if arguments.minors else conformance_folder()
    if folder is None:
        sys.exit("no reference data: set CONFORMANCE_DIR or SHARED_DIR")
    failed = False
    for release in arguments.release or releases(folder):
        failed |= _run(
            arguments, [case for case in load(folder, release) if _chosen(arguments, case)], release
        )
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("release", nargs="*", help="1.0 … 1.31; all when none is given")
    parser.add_argument(
        "--minors", action="store_true", help="the further minors: 1.7, 1.9, …, all cases of them"
    )
    parser.add_argument("-k", "--pattern", default="", help="regular expression on the case's name")
    parser.add_argument("-d", "--door", choices=("webhook", "file"), help="only this door")
    parser.add_argument("-n", "--cases", type=int, default=12, help="how many failing cases to print")
    parser.add_argument("-m", "--lines", type=int, default=4, help="how many differences per case to print")
    parser.add_argument("-u", "--untrusted-values", choices=("text", "scalar"), default="text")
    parser.add_argument(
        "-s", "--summary", action="store_true", help="print the kinds of differences with counts"
    )
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace, case: Case) -> bool:
    return (not arguments.door or case.door == arguments.door) and bool(
        re.search(arguments.pattern, case.name)
    )


def _run(arguments: argparse.Namespace, cases: list[Case], release: str) -> bool:
    started = time.perf_counter()
    verdicts = [judge(case, arguments.untrusted_values) for case in cases]
    failing = [verdict for verdict in verdicts if not verdict.passed]
    seconds = time.perf_counter() - started
    for verdict in failing[: arguments.cases]:
        _print(verdict, arguments.lines)
    if arguments.summary:
        for text, count in Counter(_kind(verdict) for verdict in failing).most_common(25):
            print(f"  {count:5} {text}")
    print(
        f"{release}: {len(verdicts) - len(failing)} of {len(verdicts)} agree, {len(failing)} differ, {seconds:.1f} s"
    )
    return bool(failing)


def _print(verdict: Verdict, lines: int) -> None:
    case = verdict.case
    print(
        f"✗ {case.release} {case.name}  [{case.door}; {case.setup.config}, {case.setup.values}, {case.setup.mesh}]"
    )
    for difference in verdict.differences[:lines]:
        print(f"    {difference}")
    if len(verdict.differences) > lines:
        print(f"    … {len(verdict.differences) - lines} more")


def _kind(verdict: Verdict) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "*", verdict.differences[0])[:150]


if __name__ == "__main__":
    sys.exit(main())
