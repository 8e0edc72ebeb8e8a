"""Sample the CPU time of a running program by stage of a review. Uses the injector's module names.

It reads the stack whenever the process has used a few more milliseconds of CPU: this costs the review
nothing, and a stage that moves to another function of its module is still recognised.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import injector
from injector.injection.steps.overrides import reapply
from injector.injection.steps.pipeline import STEPS
from injector.injection.steps.users import adjust_init_user

ROOT: Final = str(Path(injector.__file__).parent) + "/"
OUTSIDE: Final = "HTTP, TLS, loop"
PERIOD: Final = 0.001
"""CPU seconds between two samples; the kernel rounds up to its tick, of 1 to 4 ms."""

BY_FUNCTION: Final = {
    ("injection/admission.py", "decode"): "decode",
    ("injection/admission.py", "encode_patch"): "encode",
    ("injection/inject.py", "read_pod"): "read pod",
    ("injection/inject.py", "_replica"): "likeness",
    ("injection/inject.py", "request_for"): "owner, URL",
    ("injection/policy.py", "decide"): "decide",
    ("injection/render.py", "template_data"): "template data",
    ("injection/steps/pipeline.py", "_original"): "read pod",
    ("injection/steps/status.py", "strip"): "strip",
    ("patch/json_patch.py", "diff"): "diff",
    ("injection/steps/rebase.py", "rebase"): "rebase",
} | {
    (f"{step.__module__.removeprefix('injector.').replace('.', '/')}.py", step.__name__): "post-processing"
    for step in (reapply, adjust_init_user, *STEPS)
}
"""Stages by the function that begins them, searched from the outermost frame: its callees belong to it."""

BY_MODULE: Final = (
    ("gotemplate/", "render"),
    ("injection/dot/functions/", "render"),
    ("kubeyaml/skeleton", "skeleton fill"),
    ("kubeyaml/filler", "skeleton fill"),
    ("patch/strategic_merge", "merge"),
    ("patch/merge", "merge"),
    ("patch/", "typing"),
    ("injection/steps/merge", "typing"),
    ("istio/mesh/", "ProxyConfig"),
    ("istio/annotations", "annotations"),
    ("kubeyaml/", "YAML"),
    ("injection/steps/pipeline", "glue"),
    ("injection/", "glue"),
    ("service/logs", "log"),
    ("service/metrics", "metrics"),
    ("service/process", OUTSIDE),  # it runs the loop
    ("service/", "edge"),
)
"""Stages by module, searched from the innermost frame, if none of those functions is on the stack."""

COMPILED: Final = {"<template": "render", "<skeleton": "skeleton fill"}
"""Stages by the beginning of the file name, for code that was made at run time."""


class Sampler:
    """Counts stages while it runs; only in the main thread, and one at a time."""

    def __init__(self, name: Callable[[FrameType | None], str] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._name = name or stage_of

    def start(self) -> None:
        """Start sampling."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, PERIOD, PERIOD)

    def stop(self) -> None:
        """Stop sampling."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        self.counts[self._name(frame)] += 1

    def microseconds(self, cpu_seconds: float, reviews: int) -> dict[str, float]:
        """Return the CPU-µs of a review by stage, the most expensive first."""
        total = self.counts.total() or 1
        each = cpu_seconds / max(reviews, 1) * 1e6
        return {stage: each * count / total for stage, count in self.counts.most_common()}


def stage_of(frame: FrameType | None) -> str:
    """Return the stage of a stack."""
    found = OUTSIDE
    by_function = None
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        if file.startswith(ROOT):
            place = file[len(ROOT) :]
            by_function = BY_FUNCTION.get((place, code.co_name), by_function)
            if found == OUTSIDE:
                found = _by_module(place)
        elif found == OUTSIDE:
            found = COMPILED.get(file[:9], OUTSIDE)
        frame = frame.f_back
    return by_function or found


def function_of(frame: FrameType | None) -> str:
    """Return the innermost of our functions on a stack: calls of other libraries belong to it."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(ROOT):
            return f"{code.co_filename[len(ROOT) : -3]} {code.co_qualname}"
        if code.co_filename[:9] in COMPILED:
            return f"{code.co_filename} {code.co_name}"
        frame = frame.f_back
    return OUTSIDE


def is_ours(file: str) -> bool:
    """Return whether a file's code is the injector's, made at run time or not."""
    return file.startswith(ROOT) or file[:9] in COMPILED


def _by_module(place: str) -> str:
    return next((stage for start, stage in BY_MODULE if place.startswith(start)), OUTSIDE)
