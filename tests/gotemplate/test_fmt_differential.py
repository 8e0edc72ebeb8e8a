"""Random formats and operands, printed by Go's fmt and by us."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from injector.golang.strconv import quote
from injector.gotemplate.sprig import functions
from injector.injection.dot.functions.encoding import decode, encode
from tests.gotemplate.questions import agree, fully, operands
from tests.oracle import BATCH

FUNCTIONS = {name: functions(encode, decode)[name] for name in ("until", "splitList", "int64")}

flags = st.lists(st.sampled_from("+-# 0"), max_size=3).map("".join)
indexes = st.sampled_from(
    ["", "", "", "", "", "[1]", "[2]", "[3]", "[0]", "[x]", "[]", "[99]", "[1000001]", "["]
)
widths = st.sampled_from(["", "", "", "0", "1", "5", "10", "12", "*", "[1]*", "1000001"])
precisions = st.sampled_from(["", "", "", ".", ".0", ".1", ".3", ".8", ".20", ".*", ".[1]*", ".[2]3"])
verbs = st.sampled_from("vvvvsssddxXqtboOcUeEfFgGTw%zé!")
directives = st.tuples(flags, indexes, widths, precisions, indexes, verbs).map(
    lambda parts: "%" + "".join(parts)
)
pieces = st.tuples(st.sampled_from(["", "a", " ", "é", "%%"]), directives).map("".join)
formats = st.tuples(
    st.lists(pieces, min_size=1, max_size=3).map("".join), st.sampled_from(["", "", "", "%", "%5", "%-"])
).map("".join)


@st.composite
def calls(draw):
    data = {}
    arguments = [draw(operands(data)) for _ in range(draw(st.integers(0, 3)))]
    name = draw(st.sampled_from(["printf"] * 8 + ["print", "println"]))
    first = [quote(draw(formats))] if name == "printf" else []
    return "{{ " + " ".join([name, *first, *arguments]) + " }}", data


@fully
@given(st.lists(calls(), min_size=BATCH, max_size=BATCH))
def test_random_formats_are_printed_as_go_prints_them(ask_go_json, batch):
    agree(ask_go_json, batch, FUNCTIONS)
