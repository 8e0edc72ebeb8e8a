"""The load test: its reviews, its verdicts, and a short run against a service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.conftest import PATIENCE, ROOT, conformance_folder
from tests.service.processes import Process

sys.path.append(str(ROOT / "scripts"))

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
