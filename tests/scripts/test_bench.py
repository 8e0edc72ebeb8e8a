"""The load test: its reviews, its verdicts, and a short run against a service."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.conftest import PATIENCE, ROOT, conformance_folder
from tests.service.processes import Process

sys.path.append(str(ROOT / "scripts"))

import bench
from benchlib import profiling, report, reviews
from benchlib.load import Load, Run


@pytest.mark.parametrize("name", reviews.known())
def test_every_review_is_another_pod(name: str) -> None:
    review = reviews.load([name], None)[name]
    sent = [*islice(review.bodies(), 200)]
    assert len({uid for uid, _ in sent}) == 200
    variants = len(review.variants)
    assert len({len(body) for _, body in sent[::variants]}) == 1
    assert max(len(body) for _, body in sent) <= review.size
    requests = [json.loads(body)["request"] for _, body in sent[:60]]
    assert [request["uid"].encode() for request in requests] == [uid for uid, _ in sent[:60]]
    pods = [request["object"]["metadata"] for request in requests]
    assert len({pod["name"] for pod in pods}) == 60
    workloads = 60 if name.endswith(("-alone", "-unseen")) else reviews.WORKLOADS
    assert len({pod["labels"]["pod-template-hash"] for pod in pods}) == workloads
    volumes = {request["object"]["spec"]["volumes"][0]["name"] for request in requests}
    assert len(volumes) == 60
    if variants == reviews.WORKLOADS:
        assert len({pod["generateName"] for pod in pods}) >= reviews.WORKLOADS
    for pod in pods:
        assert pod["name"].startswith(pod["generateName"])
        assert pod["ownerReferences"][0]["name"] + "-" == pod["generateName"]


def told_apart(pod: dict[str, Any]) -> set[str]:
    """Return what tells an application: names, labels, images, values and ports."""
    metadata, found = pod["metadata"], set()
    found |= {metadata["generateName"], *metadata["labels"].values()}
    for container in pod["spec"]["containers"]:
        found |= {container["name"], container["image"]}
        found |= {variable["value"] for variable in container["env"] if "value" in variable}
        found |= {str(port["containerPort"]) for port in container["ports"]}
        found.add(str(container["readinessProbe"]["httpGet"]["port"]))
    return found


@pytest.mark.parametrize("name", ["small-unseen", "typical-unseen", "mixed-unseen"])
def test_two_pods_that_were_not_seen_have_nothing_of_an_application_in_common(name: str) -> None:
    bodies = reviews.load([name], None)[name].bodies()
    first, *others = [json.loads(body)["request"]["object"] for _, body in islice(bodies, 60)]
    assert all(told_apart(first).isdisjoint(told_apart(other)) for other in others)
    for pod in (first, *others):
        scraped = pod["metadata"]["annotations"].get("prometheus.io/port")
        assert scraped is None or scraped.isdigit()


def test_the_sizes_are_what_the_names_say() -> None:
    made = reviews.load(reviews.known(), None)
    assert made["small"].size < 8_000
    assert 15_000 < made["typical"].size < 60_000
    assert 200_000 < made["env2000"].size < 400_000
    assert 2.9 * 2**20 < made["mib3"].size < 3.1 * 2**20


def test_a_folder_of_reviews_is_used_where_it_has_one(tmp_path: Path) -> None:
    pod = {"metadata": {"generateName": "mine-"}}
    (tmp_path / "review-small.json").write_text(json.dumps({"request": {"object": pod}}))
    _, body = next(reviews.load(["small"], tmp_path)["small"].bodies())
    assert json.loads(body)["request"]["object"]["metadata"]["name"].startswith("mine-")


def a_case(**given: Any) -> dict[str, Any]:
    return {"cpu_us": 200.0, "floor_cpu_us": 80.0, "ratio": 2.5, "failed": 0, **given}


def a_result(**cases: dict[str, Any]) -> dict[str, Any]:
    return {"cases": cases, "machine": "x"}


def test_worse_is_told_by_the_multiple_of_the_floor() -> None:
    before = a_result(small=a_case())
    slower_machine = a_result(small=a_case(cpu_us=400.0, floor_cpu_us=160.0))
    assert report.worse(slower_machine, before, 0.15) == []
    slower = a_result(small=a_case(cpu_us=300.0, ratio=3.75))
    assert report.worse(slower, before, 0.15) == ["small: 3.75 times the floor, was 2.5"]
    assert report.worse(slower, before, 0.6) == []


def test_without_a_floor_the_cpu_time_is_compared() -> None:
    before = a_result(small=a_case(floor_cpu_us=None, ratio=None))
    now = a_result(small=a_case(cpu_us=300.0, floor_cpu_us=None, ratio=None))
    assert report.worse(now, before, 0.15) == ["small: 300.0 µs, was 200.0"]


def test_failed_reviews_are_worse_and_new_cases_are_not() -> None:
    now = a_result(small=a_case(failed=2), other=a_case(cpu_us=9e9))
    assert report.worse(now, a_result(small=a_case()), 0.15) == ["small: 2 reviews failed"]


def test_another_checkout_is_compared_side_by_side() -> None:
    assert report.costlier(a_result(small=a_case(other_ratio=1.1), old=a_case()), 0.15) == []
    costlier = report.costlier(a_result(small=a_case(other_ratio=1.3)), 0.15)
    assert costlier == ["small: 1.3 times what the other checkout takes"]


def test_the_page_holds_the_table_and_the_plots() -> None:
    result = a_result(small=a_case(), typical=a_case())
    page = report.page(result, {"small": [0.001, 0.002, 0.003], "typical": []})
    assert page.count("<svg") == 2
    assert "small" in report.table(result["cases"])


def test_a_run_judges_answers() -> None:
    load = Load(host="", port=0, ca="", server_name="", case="small", reviews=None, seconds=1)
    run = Run(load, reviews.load(["small"], None)["small"])
    uid, request = run.request()
    assert request.startswith(b"POST /inject?timeout=10s HTTP/1.1\r\n")
    assert uid in request


def test_a_short_run_against_a_service_prints_figures(tmp_path: Path) -> None:
    process = Process(tmp_path / "service", trustme.CA(), {})
    process.launch()
    try:
        process.wait_until_serving()
        run_against(process, tmp_path)
    finally:
        process.popen.kill()
        process.popen.wait()


def run_against(process: Process, tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.json", tmp_path / "page.html"
    command = [
        sys.executable,
        ROOT / "scripts" / "bench.py",
        "--cases",
        "small",
        "--duration",
        "0.3",
        "--rounds",
        "1",
    ]
    command += ["--url", f"https://127.0.0.1:{process.ports[0]}/inject", "--ca", process.folder / "ca.crt"]
    command += ["--json", figures, "--report", page, "--fresh", "0.1"]
    first = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert first.returncode == 0, first.stderr
    assert "reviews/s" in first.stdout
    case = json.loads(figures.read_text())["cases"]["small"]
    assert case["failed"] == 0
    assert case["reviews_per_second"] > 0
    assert 0 < case["p50_ms"] <= case["p99_ms"] <= case["p999_ms"]
    assert page.read_text().startswith("<!doctype html>")


def test_tables_go_where_they_belong() -> None:
    page = "a\n<!-- measured -->\nold\n<!-- /measured -->\nb\n"
    filled = report.fill_in(page, {"measured": "new", "compared": "nowhere"})
    assert filled == "a\n<!-- measured -->\nnew\n<!-- /measured -->\nb\n"
    assert report.fill_in(filled, {"measured": "new"}) == filled


def test_the_table_of_readme_is_in_multiples_of_the_floor() -> None:
    case = a_case(naive_cpu_us=4000.0, reviews_per_second=5000.0)
    assert report.compared(a_result(small=case)).splitlines()[-1] == (
        "| small, 5.6 kB | 0.20 ms | 0.08 ms | 2.5 | 42 | 50 | 5,000 |"
    )


def test_where_go_was_measured_the_table_has_its_time_and_the_quotient_of_what_it_shows() -> None:
    case = a_case(naive_cpu_us=4000.0, reviews_per_second=5000.0, go_cpu_us=6400.0, ratio=2.9)
    assert report.compared(a_result(small=case)).splitlines()[-1] == (
        "| small, 5.6 kB | 0.20 ms | 0.08 ms | 2.5 | 6.40 ms | 32.0 | 50 | 5,000 |"
    )


def test_the_docs_have_a_place_for_each_table() -> None:
    for page, names in {"README.md": ["compared"], "docs/performance.md": ["compared", "measured"]}.items():
        text = (ROOT / page).read_text()
        for name in names:
            assert text.index(f"<!-- {name} -->") < text.index(f"<!-- /{name} -->")


def run_script(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, *arguments]
    found = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}"},
    )
    result: dict[str, Any] = json.loads(found.stdout)
    return result


def test_the_service_is_measured_beside_the_floor_with_the_template_that_is_named() -> None:
    cases = ("--cases", "small@log-shipper", "--floor", "--duration", "0.2", "--rounds", "1")
    result = run_script("scripts/bench.py", *cases, "--json", "-")
    assert result["templates"].keys() == {"log-shipper"}
    assert "Python" in result["machine"]
    case = result["cases"]["small@log-shipper"]
    assert case["failed"] == 0
    wanted = ("cpu_us", "floor_cpu_us", "ratio", "reviews_per_second", "p50_ms", "p99_ms", "rss_mib")
    assert all(case[figure] > 0 for figure in wanted), case
    assert "| small@log-shipper |" in report.markdown(result)


def test_the_stages_of_a_review_make_up_its_cost() -> None:
    made = run_script("-m", "benchlib.profiling", "--cases", "small-unseen", "--seconds", "0.5", "--json")
    stages = made["small-unseen"]
    assert {"render", "diff"} <= stages.keys()
    assert 50 < sum(stages.values()) < 100_000


def test_the_columns_of_a_profile_stand_apart_however_long_a_case_is_called() -> None:
    made = profiling.text({"small": {"render": 5.0}, "containers16-unseen": {"render": 4.5}})
    assert [line.split() for line in made.splitlines()] == [
        ["stage", "small", "containers16-unseen"],
        ["render", "5.0", "4.5"],
        ["together", "5.0", "4.5"],
    ]


@pytest.mark.skipif(
    conformance_folder() is None, reason="REFERENCE DATA MISSING: the bounds are for Istio's template"
)
def test_a_review_goes_through_no_more_than_it_did() -> None:
    """Bounds that catch a walk more through the pod; what is aimed at stands in docs/performance.md."""
    made = run_script("-m", "benchlib.profiling", "--cases", "small,small-unseen", "--steps", "--json")
    replica, unseen = made["small"], made["small-unseen"]
    assert (replica["modules"] <= 16, replica["calls"] <= 60) == (True, True), replica
    assert (unseen["modules"] <= 64, unseen["calls"] <= 450) == (True, True), unseen


SLIPS = {
    "no number": ("--duration", "abc", "'abc' is not a number of seconds, more than 0 and at most 86,400"),
    "nothing to measure": ("--duration", "0", "'0' is not a number of seconds"),
    "nan": ("--duration", "nan", "'nan' is not a number of seconds"),
    "for ever": ("--duration", "inf", "'inf' is not a number of seconds"),
    "no round": ("--rounds", "0", "'0' is not a number from 1 to 1000"),
    "fewer than none": ("--connections", "-1", "'-1' is not a number from 1 to 1000"),
    "more than any machine has": ("--connections", "9" * 5000, "is not a number from 1 to 1000"),
    "a digit of another alphabet": ("--rounds", "٣", "'٣' is not a number from 1 to 1000"),
    "no replica": ("--replicas", "0", "'0' is not a number from 1 to 1000"),
    "no worker": ("--workers", "0", "'0' is not a number from 1 to 1000"),
    "workers without a core": ("--workers", "1000", "no use for so many processes"),
    "more than all": ("--fresh", "1.1", "'1.1' is not a share from 0 to 1"),
    "less than none": ("--fresh", "-0.1", "'-0.1' is not a share from 0 to 1"),
    "no rate": ("--rate", "0", "'0' is not a number of arrivals a second"),
    "nothing is worse than nan": ("--threshold", "nan", "'nan' is not a share from 0 to 100"),
    "no case": ("--cases", "", "'' is none of small, "),
    "a case without a review": ("--cases", "small,nope@istio", "'nope' is none of small, "),
    "a case without a template": ("--cases", "small@nope", "'nope' is none of istio, "),
    "nothing beside": ("--beside", "nope", "'nope' is none of small, "),
    "no checkout": ("--against", ".", ". is not a checkout of the project"),
    "no folder": ("--reviews", "nowhere", "there is no folder nowhere"),
    "nothing to compare with": ("--compare", "nowhere", "nowhere cannot be read"),
    "no figures": ("--compare", "figures", "figures is not what --json writes: it has no cases"),
    "nowhere to write": ("--json", "nowhere/figures", "nowhere/figures cannot be written"),
    "a folder to write": ("--report", ".", ". cannot be written"),
    "no program": ("--go", "nowhere/injector --flag", "there is no program 'nowhere/injector'"),
    "no https": ("--url", "http://localhost", "it is not https://HOST:PORT/PATH"),
    "no port": ("--url", "https://localhost:99999", "it is not https://HOST:PORT/PATH"),
    "no CA": ("--ca", "figures", "figures holds no certificate"),
    "nobody to trust": ("--url", "https://localhost", "--url needs --ca"),
}


@pytest.mark.parametrize(("option", "value", "sentence"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str, sentence: str
) -> None:
    (tmp_path / "figures").write_text('{"cases": []}')
    monkeypatch.chdir(tmp_path)
    assert sentence in refusal(bench.arguments, f"{option}={value}")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--workers=2", "--url is a service that runs already: leave out --workers"),
        ("--full", "--url is a service that runs already: leave out --full"),
        ("--cases=small@istio", "--url has the template that it has: give cases without @"),
    ],
)
def test_what_a_service_that_runs_already_cannot_have_is_not_left_out_silently(
    tmp_path: Path, option: str, sentence: str
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca"))
    assert sentence in refusal(bench.arguments, "--url=https://localhost", f"--ca={tmp_path / 'ca'}", option)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--seconds", "-1", "'-1' is not a number of seconds"),
        ("--functions", "0", "'0' is not a number from 1 to 1000"),
        ("--cases", "small,cluster-mix", "'cluster-mix' is none of small, "),
        ("--tree", "nope", "'nope' is none of small, "),
    ],
)
def test_a_slip_of_a_profile_is_told_too(option: str, value: str, sentence: str) -> None:
    assert sentence in refusal(profiling.arguments, f"{option}={value}")


def refusal(read: Callable[[], object], *arguments: str) -> str:
    """Return the last line of what is said of a command line that is wrong."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        patch.setattr(sys, "argv", ["script", *arguments])
        with pytest.raises(SystemExit) as stopped:
            read()
    assert stopped.value.code == 2
    return said.getvalue().splitlines()[-1]
