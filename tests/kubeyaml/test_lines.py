from __future__ import annotations

import pytest

from injector.kubeyaml import Positions, line_of

TEXT = """\
global:
  proxy: &proxy
    logLevel: 1
  secrets:
  - a
  - b: {c: 5,
        d: 6}
again: *proxy
twice: 1
twice: 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("global", "proxy", "logLevel"), 3),
        (("global", "secrets", 0), 5),
        (("global", "secrets", 1, "b", "d"), 7),
        (("again", "logLevel"), 3),
        (("twice",), 10),
        (("global", "secrets", 7), 4),
        (("global", "proxy", "nope", "deeper"), 2),
        (("twice", "deeper"), 10),
    ],
)
def test_the_line_of_a_path_is_that_of_its_last_step_that_is_there(path, line):
    assert line_of(TEXT, path) == line


def test_text_without_a_document_has_no_line():
    assert line_of("", ("a",)) == 0
    assert line_of("[", ("a",)) == 0


def test_json_has_lines_as_well():
    assert line_of('{\n "global": {\n  "proxy": 5\n }\n}', ("global", "proxy")) == 3


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), (1, 1)),
        (("global", "proxy", "logLevel"), (3, 5)),
        (("global", "secrets", 1), (6, 5)),
        (("global", "secrets", 1, "b", "d"), (7, 9)),
        (("again", "nope"), (8, 1)),
    ],
)
def test_positions_have_the_column_too(path, position):
    assert Positions(TEXT).at(path) == position


def test_text_that_cannot_be_read_has_no_positions():
    assert Positions("[").at(("a",)) == (0, 0)
