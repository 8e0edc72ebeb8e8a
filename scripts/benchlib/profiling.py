"""The program behind `scripts/profile`: tables of CPU time by stage.

In this process it answers reviews one after the other; with --live it measures the service itself, under a
load from another process.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

from pyinstrument import Profiler

from benchlib import arguments as wanted
from benchlib import configurations, measure, reviews, servers
from benchlib.reviews import Review, load
from benchlib.sampler import OUTSIDE, Sampler, function_of, is_ours, stage_of
from injector.injection.injector import Injector
from injector.service.process import YOUNG_OBJECTS

WARM: Final = 200
"""Reviews before the first that counts: the cache is filled, and CPython has specialised the code."""

DEFAULT: Final = "small,small-unseen,typical-unseen,env2000"

Table = dict[str, dict[str, float]]
"""Case → stage → CPU-µs of a review."""


def arguments() -> argparse.Namespace:
    """Read argv."""
    parser = argparse.ArgumentParser(prog="scripts/profile", description="CPU-µs of a review by stage.")
    add = parser.add_argument
    add(
        "--cases",
        type=wanted.some_reviews,
        default=DEFAULT,
        help=f"of {', '.join(reviews.known())}; default {DEFAULT}",
    )
    add("--template", default="istio", choices=configurations.known(), help="default istio, the newest")
    add(
        "--seconds",
        type=wanted.some_seconds,
        default=5.0,
        help="CPU time for each case; 5 s are 1,250 looks or more",
    )
    add("--live", action="store_true", help="the service under load in place of reviews in this process")
    add(
        "--tree",
        type=wanted.a_review,
        metavar="CASE",
        help="print pyinstrument's call tree of a case instead",
    )
    add(
        "--functions",
        type=wanted.a_count,
        metavar="N",
        help="the N most expensive functions in place of the stages",
    )
    add("--html", type=wanted.a_place, metavar="FILE", help="with --tree: write pyinstrument's page")
    add("--steps", action="store_true", help="modules, functions and calls of one more review instead")
    add("--json", action="store_true", help="print the table as JSON")
    return parser.parse_args()


def collect_as_the_service_does() -> None:
    """Configure garbage collection as `serve` does: it is part of the cost of a large review."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def warmed(injector: Injector, review: Review) -> Iterator[tuple[bytes, bytes]]:
    """Return the bodies of a review, after the injector was warmed up with it."""
    bodies = review.bodies()
    for _, body in itertools.islice(bodies, WARM):
        injector.answer(body)
    return bodies


def in_process(
    configuration: configurations.Configuration,
    names: list[str],
    seconds: float,
    name_of: Callable[[FrameType | None], str] = stage_of,
) -> Table:
    """Answer reviews here, and profile each case separately."""
    injector = configuration.load()
    collect_as_the_service_does()
    table: Table = {}
    for name, review in load(names, configurations.reviews_folder()).items():
        bodies = warmed(injector, review)
        sampler, answered = Sampler(name_of), 0
        begun = time.process_time()
        sampler.start()
        while time.process_time() - begun < seconds:
            batch = [body for _, body in itertools.islice(bodies, 20)]
            for body in batch:
                injector.answer(body)
            answered += len(batch)
        sampler.stop()
        table[name] = sampler.microseconds(time.process_time() - begun, answered)
        table[name].pop(OUTSIDE, None)  # making the reviews
    return table


def live(configuration: configurations.Configuration, names: list[str], seconds: float) -> Table:
    """Start the service for each case, with a sampler in it, and load it."""
    table: Table = {}
    settings = measure.Settings(
        seconds=seconds,
        rounds=1,
        connections=25,
        fresh=0.0,
        rate=0.0,
        reviews=str(configurations.reviews_folder() or "") or None,
        client_core=None,
    )
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            servers.make_certificates(folder)
            report = folder / "stages.json"
            service = servers.start_sampled(folder, None, configuration.write(folder), report)
            measure.run(service, name, settings, start=1, seconds=1.0)
            service.toggle_sampling()
            outcome, cpu = measure.run(service, name, settings, start=2)
            service.toggle_sampling()
            service.stop()
            counts = json.loads(report.read_text())
        sampler = Sampler()
        sampler.counts.update(counts)
        table[name] = sampler.microseconds(cpu, len(outcome["latencies"]))
    return table


def tree(configuration: configurations.Configuration, name: str, seconds: float, page: Path | None) -> str:
    """Return pyinstrument's call tree of a case; its times are the sums of all reviews."""
    injector = configuration.load()
    collect_as_the_service_does()
    bodies = warmed(injector, load([name], configurations.reviews_folder())[name])
    profiler = Profiler(interval=0.0005)
    end = time.process_time() + seconds
    answered = 0
    profiler.start()
    while time.process_time() < end:
        injector.answer(next(bodies)[1])
        answered += 1
    profiler.stop()
    if page is not None:
        page.write_text(profiler.output_html())
    return f"{answered} reviews\n{profiler.output_text(show_all=True, color=sys.stdout.isatty())}"


def steps(configuration: configurations.Configuration, names: list[str]) -> Table:
    """Answer one more review of each case, and count the modules, functions and calls that it uses."""
    injector = configuration.load()
    table: Table = {}
    for name, review in load(names, configurations.reviews_folder()).items():
        bodies = warmed(injector, review)
        calls = counted(injector.answer, next(bodies)[1])
        functions = {
            code for code in calls if not code.co_name.startswith("<")
        }  # no lambda, no comprehension
        table[name] = {
            "modules": len({code.co_filename for code in calls}),
            "functions": len(functions),
            "calls": sum(calls[code] for code in functions),
            "calls of what has no name": sum(calls.values()) - sum(calls[code] for code in functions),
        }
    return table


def counted(answer: Callable[[bytes], object], body: bytes) -> Counter[CodeType]:
    """Return how often each Python function of ours is entered; a generator counts for each of its values."""
    calls: Counter[CodeType] = Counter()

    def look(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and is_ours(frame.f_code.co_filename):
            calls[frame.f_code] += 1

    sys.setprofile(look)
    try:
        answer(body)
    finally:
        sys.setprofile(None)
    return calls


def text(table: Table, *, summed: bool = True) -> str:
    """Return the table as text, ordered by the first case's most expensive stages, with the sums."""
    stages = sorted(
        {stage for case in table.values() for stage in case}, key=lambda stage: -_most(table, stage)
    )
    name_width = max(map(len, [*stages, "together"])) + 2
    figure_width = max(12, 2 + max(map(len, table)))

    def row(name: str, cells: Iterable[str]) -> str:
        return "".join([name.ljust(name_width), *(cell.rjust(figure_width) for cell in cells)])

    lines = [row("stage", table)]
    lines += (
        row(stage, (f"{case.get(stage, 0):,.{summed:d}f}" for case in table.values())) for stage in stages
    )
    if summed:
        lines.append(row("together", (f"{sum(case.values()):,.1f}" for case in table.values())))
    return "\n".join(lines)


def _most(table: Table, stage: str) -> float:
    return next(iter(table.values())).get(stage, 0.0)


def main() -> int:
    """Print what was asked for."""
    given = arguments()
    configuration = configurations.named(given.template)
    print(configuration.title, file=sys.stderr)
    if given.tree:
        print(tree(configuration, given.tree, given.seconds, given.html))
        return 0
    names = given.cases
    title = "CPU-µs of a review"
    if given.steps:
        title, table = "what one more review goes through", steps(configuration, names)
    elif given.functions:
        table = in_process(configuration, names, given.seconds, function_of)
        top = {name for case in table.values() for name in [*case][: given.functions]}
        table = {case: {name: costs[name] for name in costs if name in top} for case, costs in table.items()}
    else:
        table = (live if given.live else in_process)(configuration, names, given.seconds)
    print(json.dumps(table, indent=1) if given.json else f"{title}\n{text(table, summed=not given.steps)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
