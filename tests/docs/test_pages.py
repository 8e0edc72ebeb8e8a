"""Commands and examples in the pages: those of ours run and print what the page shows, and all are ones that exist.

A block after ``<!-- file: NAME -->`` is a file that the commands of its page find; one after ``<!-- prints -->`` is part
of what the commands before it print; one after ``<!-- not run: WHY -->`` is not run.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from injector import Injector
from injector.cli.main import COMMANDS, group
from injector.errors import ConfigError
from injector.templates import built_in
from tests.conftest import ROOT
from tests.docs.markdown import Block, blocks, pages
from tests.docs.running import run
from tests.injection.builders import a_review

sys.path.append(str(ROOT / "scripts"))

import readme_picture

PROGRAM: Final = "sidecar-injector"
RUN: Final = ("README.md", "docs/index.md", "docs/template-language.md", "docs/your-own-sidecar.md")
"""Pages whose commands run as they stand."""

STAYS: Final = frozenset(("serve", "probe"))
"""Commands that are not run here: they go on for ever, or need one that does."""


def stages(block: Block) -> Iterator[list[str]]:
    """Yield the commands of a block as words, those of a pipe one after the other."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    for line in text.splitlines():
        command, *_ = re.split(r"(?:^|\s+)#\s", line, maxsplit=1)
        if block.language in ("", "sh", "shell", "bash", "console") and PROGRAM in command:
            for stage in re.split(r"\s\|\s|\s&&\s|;\s", command.removeprefix("$ ")):
                yield _words(stage)


def _words(stage: str) -> list[str]:
    try:
        words = shlex.split(re.sub(r"\s+[12]?>>?\s*\S+", "", stage))
    except ValueError:  # not a command but text
        return []
    return words[1:] if words and "=" in words[0] else words


def ours(page: Path) -> list[list[str]]:
    """Return the arguments of each command of ours on a page."""
    found = [words for block in blocks(page.read_text(encoding="utf-8")) for words in stages(block)]
    return [words[1:] for words in found if words and Path(words[0]).name == PROGRAM]


COMMANDS_OF_PAGES: Final = [(page, words) for page in pages() for words in ours(page)]


@pytest.mark.parametrize(
    ("page", "words"),
    COMMANDS_OF_PAGES,
    ids=[f"{page.relative_to(ROOT)}: {' '.join(words)}" for page, words in COMMANDS_OF_PAGES],
)
def test_a_command_on_a_page_has_options_that_exist(page: Path, words: list[str]) -> None:
    name, *arguments = words
    if name.startswith("-"):
        return
    assert name in COMMANDS, page
    command = group.get_command(click.Context(group), name)
    assert command is not None
    try:
        command.make_context(name, [each for each in arguments if each != "…"])
    except click.exceptions.Exit:  # --help
        return


def folder_for(page: Path, folder: Path) -> None:
    """Lay out what commands of the page find: the sample, the built-in configuration, and the page's own files."""
    (folder / "app.yaml").write_text((ROOT / "k8s" / "samples" / "hello.yaml").read_text())
    (folder / "config.yaml").write_text(built_in().config)
    (folder / "values.json").write_text(built_in().values)
    (folder / "mesh.yaml").write_text("{}")
    for name in ("injector", "k8s"):
        (folder / name).symlink_to(ROOT / name)
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.mark.startswith("file: "):
            (folder / block.mark.removeprefix("file: ")).write_text(f"{block.text}\n")


@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_run_and_print_what_it_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / name
    folder_for(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    output = ""
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.mark == "prints":
            assert block.text in output
        if block.mark.startswith(("file:", "prints", "not run")):
            continue
        for words in stages(block):
            if words and words[0] == PROGRAM and words[1] not in STAYS:
                code, output, said = run(words[1:], capfd)
                assert code == 0, (words, said)


def test_a_page_that_says_what_is_printed_runs_something_before() -> None:
    for name in RUN:
        found = [*blocks((ROOT / name).read_text(encoding="utf-8"))]
        shown = [index for index, block in enumerate(found) if block.mark == "prints"]
        assert all(any([*stages(block)] for block in found[:index]) for index in shown), name


def scripts_of_pages() -> Iterator[tuple[str, str]]:
    for page in pages():
        for block in blocks(page.read_text(encoding="utf-8")):
            for path in re.findall(r"^(?:\.venv/bin/python )?(scripts/[\w./]+)", block.text, re.MULTILINE):
                yield str(page.relative_to(ROOT)), path


@pytest.mark.parametrize(("page", "path"), sorted(set(scripts_of_pages())))
def test_a_script_on_a_page_exists(page: str, path: str) -> None:
    assert (ROOT / path).is_file(), page


def test_a_file_that_a_page_names_exists() -> None:
    named = re.compile(r"`((?:injector|k8s|scripts|tests)/[\w./-]+\.[a-z]+)`")
    gone = [
        (page.name, path)
        for page in pages()
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / path).is_file()
    ]
    assert gone == []


def test_the_figures_of_the_first_page_are_those_that_were_measured() -> None:
    table = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").partition("<!-- compared -->")[2]
    rows = [line.split("|") for line in table.partition("<!-- /compared -->")[0].strip().splitlines()[2:]]
    measured = ([row[column].strip() for row in rows] for column in (4, 5))
    multiples, istio = ([float(cell) for cell in cells if cell != "-"] for cells in measured)
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert f"{min(multiples):g} to {max(multiples):g} times" in page
    assert f"{min(istio):g} to {max(istio):g} times" in page
    first, _, _ = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").partition("\n## ")
    assert f"{min(multiples):g} to {max(multiples):g} times" in first


def test_the_rates_that_the_page_of_operation_plans_with_are_those_that_were_measured() -> None:
    table = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").partition("<!-- compared -->")[2]
    rows = [line.split("|") for line in table.partition("<!-- /compared -->")[0].strip().splitlines()[2:]]
    rates = {row[1].strip(): row[7].strip() for row in rows}
    unlike = sorted((rate for name, rate in rates.items() if "no two pods alike" in name), key=plain_number)
    mix = round(plain_number(rates["what a cluster sends"]), -3)
    operate = " ".join((ROOT / "docs" / "operate.md").read_text(encoding="utf-8").split())
    assert (
        f"some {mix:,} reviews a second of an assumed cluster mix, and {unlike[0]} to {unlike[-1]} when"
        in operate
    )


def plain_number(number: str) -> int:
    return int(number.replace(",", ""))


def test_readme_is_one_that_people_read_to_the_end() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_the_librarys_example_in_readme_runs() -> None:
    (example,) = (
        block.text
        for block in blocks((ROOT / "README.md").read_text(encoding="utf-8"))
        if block.language == "python"
    )
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    texts = built_in()
    given = {
        "config": texts.config,
        "values": texts.values,
        "mesh": "",
        "pod": pod,
        "body": a_review(pod),
    }
    exec(example, given)
    assert given["decision"].inject
    assert json.loads(given["answer"])["response"]["allowed"] is True


def test_the_picture_of_readme_is_what_the_injector_makes() -> None:
    assert readme_picture.PICTURE.read_text(encoding="utf-8") == readme_picture.picture(), (
        "draw it again: .venv/bin/python scripts/readme_picture.py"
    )


NAMED: Final = re.compile(r"`(\w+)` in `((?:injector|scripts|tests)/[\w./]+\.py)`")


def defined(path: str) -> Iterator[str]:
    """Yield the names that a module defines, those of its classes' methods too."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@pytest.mark.parametrize(
    ("page", "name", "path"),
    sorted(
        (str(page.relative_to(ROOT)), *found)
        for page in pages()
        for found in set(NAMED.findall(page.read_text(encoding="utf-8")))
    ),
)
def test_a_name_is_defined_where_a_page_says(page: str, name: str, path: str) -> None:
    assert name in set(defined(path)), page


MERGE: Final = """\
spec:
  initContainers: [{name: theirs, image: i}]
  containers:
  - {name: first, image: i}
  - name: web
    args: [new]
    env: [{name: B, value: "2"}, {name: A, value: "9"}]
    ports: [{containerPort: 9}]
  tolerations: [{key: theirs}]
  nodeSelector: {a: b}
  imagePullSecrets: [{name: theirs}]
"""


def test_parts_of_a_pod_merge_as_the_page_about_sidecars_says() -> None:
    config = json.dumps({"policy": "enabled", "templates": {"sidecar": MERGE}})
    web = {
        "name": "web",
        "args": ["own"],
        "env": [{"name": "A", "value": "1"}],
        "ports": [{"containerPort": 8}],
    }
    pod = {
        "metadata": {"name": "web"},
        "spec": {
            "initContainers": [{"name": "own"}],
            "containers": [web, {"name": "last"}],
            "tolerations": [{"key": "own"}],
            "nodeSelector": {"c": "d"},
            "imagePullSecrets": [{"name": "own"}],
        },
    }
    injector = Injector.load(config)
    injected, _ = injector.inject_pod(pod, "shop")
    spec = injected["spec"]
    assert [each["name"] for each in spec["initContainers"]] == ["theirs", "own"]
    assert [each["name"] for each in spec["containers"]] == ["first", "web", "last"]
    merged = spec["containers"][1]
    assert (merged["args"], merged["env"]) == (
        ["own"],
        [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
    )
    assert [each["containerPort"] for each in merged["ports"]] == [9, 8]
    assert (spec["tolerations"], spec["nodeSelector"]) == ([{"key": "theirs"}], {"a": "b", "c": "d"})
    assert spec["imagePullSecrets"] == [{"name": "theirs"}, {"name": "own"}]
    again, _ = injector.inject_pod(injected, "shop")
    for field in ("initContainers", "containers", "tolerations", "imagePullSecrets"):
        assert [each.get("name") for each in again["spec"][field]] == [
            each.get("name") for each in spec[field]
        ]


@pytest.mark.parametrize("name", ["include", "tpl", "required", "lookup", "toToml", "fromYaml"])
def test_what_only_helm_has_is_not_defined(name: str) -> None:
    config = json.dumps({"policy": "enabled", "templates": {"sidecar": f"{{{{ {name} }}}}"}})
    with pytest.raises(ConfigError, match=f'function "{name}" not defined'):
        Injector.load(config)
    assert f"`{name}`" in (ROOT / "docs" / "template-language.md").read_text(encoding="utf-8")
