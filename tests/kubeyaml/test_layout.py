from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import YAMLError
from injector.golang.jsontext import go_json
from injector.kubeyaml import dump, keep_layout, load
from tests.oracle import thorough

from .generators import documents, json_values

properties = thorough(full=4000, quick=100)

TEXT = """\
# the shop
apiVersion: apps/v1
kind: Deployment   # a deployment

metadata:
  name: "shop"
  labels: {app: shop}   # flow
  annotations:
    # keep me
    a: b
spec:
  containers:
  # the app
  - name: app
    image: shop:1   # image
    args: ["a"]
    env:
    - name: X
      value: "1"
  # the helper
  - name: helper
  volumes:
    - name: v
      emptyDir: {}
  hostNetwork: false
# the end
"""


def test_an_unchanged_document_is_left_alone() -> None:
    assert keep_layout(TEXT, load(TEXT)) == TEXT


def test_only_the_difference_is_written_anew() -> None:
    value = load(TEXT)
    value["metadata"]["labels"]["version"] = "1"
    value["metadata"]["annotations"] = {"a": "x\ny\n", "b": "yes"}
    spec = value["spec"]
    spec["containers"][0]["env"].append({"name": "Y", "value": "2"})
    spec["containers"].insert(1, {"name": "istio-proxy", "args": ["x", 5]})
    spec["containers"][2]["image"] = "helper"
    spec["volumes"].append({"name": "w", "emptyDir": {}})
    spec["initContainers"] = [{"name": "istio-init"}]
    del spec["hostNetwork"]
    assert (
        keep_layout(TEXT, value)
        == """\
# the shop
apiVersion: apps/v1
kind: Deployment   # a deployment

metadata:
  name: "shop"
  labels:   # flow
    app: shop
    version: "1"
  annotations:
    # keep me
    a: |
      x
      y
    b: "yes"
spec:
  containers:
  # the app
  - name: app
    image: shop:1   # image
    args: ["a"]
    env:
    - name: X
      value: "1"
    - name: "Y"
      value: "2"
  - args:
    - x
    - 5
    name: istio-proxy
  # the helper
  - name: helper
    image: helper
  volumes:
    - name: v
      emptyDir: {}
    - emptyDir: {}
      name: w
  initContainers:
  - name: istio-init
# the end
"""
    )


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a: 1 # c\n", {"a": [1]}, "a: # c\n- 1\n"),
        ("a: 1 # c\n", {"a": "x\n"}, "a: | # c\n  x\n"),
        ("a: 1 # c\n", {"a": 2}, "a: 2 # c\n"),
        ("a: # c\n  b: 1\nd: 2\n", {"a": [3], "d": 2}, "a: # c\n- 3\nd: 2\n"),
        ("a: # c\n  b: 1\nd: 2\n", {"a": 3, "d": 2}, "a: 3\nd: 2\n"),
        ("a:\nb: 1", {"a": 1, "b": 1}, "a: 1\nb: 1"),
        ("a: 1", {"a": 1, "b": 2}, "a: 1\nb: 2\n"),
        ("a: 1\nb: 2", {"a": 1}, "a: 1\n"),
        ("- a\n- b # c\n- d\n", ["a", "x", "d"], "- a\n- x # c\n- d\n"),
        ("- a\n- b\n", ["b"], "- b\n"),
        ("- a\n- b\n", ["x", "z", "a", "b"], "- x\n- z\n- a\n- b\n"),
        ("-\n- # c\n  b\n", [1, "b"], "- 1\n- # c\n  b\n"),
        ("- - a\n  - b\n- c\n", [["b"], "c"], "- - b\n- c\n"),
        ("- - a\n  - b\n- c\n", [["x", "a", "b"], "c"], "- - x\n  - a\n  - b\n- c\n"),
        ("- a: 1\n  b: 2\n", [{"b": 2}], "- b: 2\n"),
        ("a: |\n  x\n\n\nb: 1\n", {"a": "x\n", "b": 1, "c": 2}, "a: |\n  x\n\n\nb: 1\nc: 2\n"),
        ("b:\n  a: |+\n    x\n\nc: 1\n", {"b": {"a": "x\n\n", "d": 1}, "c": 1}, "b:\n  a: |+\n    x\n\n  d: 1\nc: 1\n"),
        ("x: 1\r\n# c\r\nv: 2\r\n", {"x": 1, "v": 2, "z": 3}, "x: 1\r\n# c\r\nv: 2\r\nz: 3\r\n"),
        ("yes: 1\n'k': 2\n", {"true": 3, "k": 4}, "yes: 3\n'k': 4\n"),
        ("# c\n", {"a": 1}, "a: 1\n"),
        ("a: &x [1]\nb: *x\n", {"a": [2], "b": [1]}, "a:\n- 2\nb:\n- 1\n"),
        ("a: {b: 1}\n<<: {c: 2}\n", {"a": {"b": 2}, "c": 2}, "a:\n  b: 2\nc: 2\n"),
        ("? a\n: 1\n", {"a": 2}, "a: 2\n"),
        ("- a:\n    ~: b\n  a: c\n", [None], "- null\n"),
        ("a: [b:,c]\n", {"a": 1}, "a: 1\n"),
        ("- v: 1\n  name: a\n# c\n- x\n", [{"name": "a"}, "x"], "- name: a\n# c\n- x\n"),
        ("- {a: 1}\n- c: 1\n  d: 2\n", [{"d": 2}, {"e": 1}], "- d: 2\n- e: 1\n"),
        ("- k:\n  - - a\n    - b\n", [{"k": [["b"]]}], "- k:\n  - - b\n"),
        ("- name: a\n  v: 1\n- name: b\n", [{"name": "c"}, {"name": "b"}], "- name: c\n- name: b\n"),
        ("&k a: 1\nb: 2\n", {"a": 1, "b": 3}, "a: 1\nb: 3\n"),
        ("18446744073709551615.5: 1\nb: 2\n", {"1.8446744e+19": 1, "b": 3}, "18446744073709551615.5: 1\nb: 3\n"),
        ("a: 1\na: 2\n", {"a": 3}, "a: 3\n"),
        ("x\n", {"a": 1}, "a: 1\n"),
        ("a: 1\n", {}, "{}\n"),
        ("a: 1\n", {"b": 2}, "b: 2\n"),
        ("\ufeffa: 1\nb: 2\n", {"a": 1, "b": 3}, "a: 1\nb: 3\n"),
        ("---\na: 1 # c\n", {"a": 2}, "---\na: 2 # c\n"),
        ("a:\n  - name: x\n    w: 1\n  # y's\n  - name: v\n", {"a": [{"name": "v"}]}, "a:\n  # y's\n  - name: v\n"),
    ],
)  # fmt: skip
def test_a_difference_is_written_at_its_place_in_the_text(text: str, value: Any, expected: str) -> None:
    assert keep_layout(text, value) == expected
    assert load(expected) == value


def test_what_is_no_yaml_is_refused() -> None:
    with pytest.raises(YAMLError):
        keep_layout("a: [", {})
    with pytest.raises(YAMLError):
        keep_layout("a: 1", {"a": "\x7f"})


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A value with a few parts added, dropped or replaced."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        result = {key: draw(changed(child)) for key, child in value.items() if draw(st.integers(0, 7))}
        return {
            **result,
            **draw(st.dictionaries(st.sampled_from(["new", "a", "k: l"]), json_values, max_size=1)),
        }
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        kept = [draw(changed(child)) for child in value if draw(st.integers(0, 5))]
        at = draw(st.integers(0, len(kept)))
        return kept[:at] + draw(st.lists(json_values, max_size=1)) + kept[at:]
    return value if draw(st.integers(0, 3)) else draw(json_values)


@pytest.mark.slow
@given(text=documents(), data=st.data())
@properties
def test_the_result_reads_as_the_value(text: str, data: st.DataObject) -> None:
    try:
        value = data.draw(changed(load(text)))
        shown = load(dump(value))
    except YAMLError:
        return
    assert go_json(load(keep_layout(text, shown))) == go_json(shown)


def test_an_object_without_a_name_is_changed_where_it_stands() -> None:
    text = "items:\n# the first\n- kind: Pod   # a pod\n  spec:\n    containers:\n    - {name: a}   # a\n- kind: Service\n"
    value = load(text)
    value["items"][0]["spec"]["containers"].append({"name": "b"})
    assert keep_layout(text, value) == text.replace("# a\n-", "# a\n    - name: b\n-")


def test_a_text_without_a_last_line_end_is_ended_once() -> None:
    text = "spec:\n  containers:\n  - name: a"
    value = load(text)
    value["spec"] |= {"containers": [{"name": "a"}, {"name": "b"}], "volumes": [{"name": "v"}]}
    assert keep_layout(text, value) == f"{text}\n  - name: b\n  volumes:\n  - name: v\n"
