"""Go's fmt.Sprint, Sprintln and Sprintf over the values of a template.

Where Go prints the address of a pointer, its target is printed instead: an address differs from run to run.
``%p``, which prints nothing else, is refused, and so is printing a function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from injector.golang.strconv import format_float
from injector.gotemplate import printf
from injector.gotemplate.functions import FunctionError, UnknownTextError
from injector.gotemplate.printf import Directive, FmtFlags, Piece, directives
from injector.gotemplate.types import FLOAT_KINDS, INTEGER_KINDS, UNSIGNED_KINDS, Type
from injector.gotemplate.values import (
    NilPointer,
    Pointer,
    Struct,
    TypedList,
    TypedMap,
    Value,
    deref,
    is_invalid,
    kind,
    type_of,
)
from injector.memo import Memo, deep_size, process_wide

_PLAIN = FmtFlags()
_STRINGER_VERBS = "vsxXq"
_BASES = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_NUMBERS = INTEGER_KINDS | UNSIGNED_KINDS


def sprint(*args: Value) -> str:
    """Return the operands one after the other, with a space where neither neighbour is a string."""
    if len(args) == 1:
        return format_value(args[0])
    out: list[str] = []
    previous_is_string = True
    for arg in args:
        is_string = isinstance(arg, str)
        if out and not is_string and not previous_is_string:
            out.append(" ")
        out.append(format_value(arg))
        previous_is_string = is_string
    return "".join(out)


def sprintln(*args: Value) -> str:
    """Return the operands with spaces between them and a newline at the end."""
    return " ".join(format_value(arg) for arg in args) + "\n"


def format_value(value: Value) -> str:
    """Return what ``%v`` prints; nil and a missing value are ``<nil>``."""
    declared = type(value)
    if declared is str:
        return str(value)
    if declared is float:
        if -1e6 < value < 1e6 and value.is_integer():  # as in configurations: ports, seconds
            return repr(value)[:-2]
        return format_float(value)
    if declared is int:
        return str(value)
    return _argument(_PLAIN, value, "v")


def shown(value: Value, template: str = "%v") -> str:
    """Return what a format prints, for a message: the type's name where that text is not made here."""
    try:
        return sprintf(template, value)
    except UnknownTextError:
        return str(type_of(value))


def sprintf(template: str, *args: Value) -> str:
    """Return the format with its operands; every misuse is printed in place as Go prints it."""
    pieces = _directives(template, args)
    return "".join([_piece(piece, args) for piece in pieces])


def _directives(template: str, args: tuple[Value, ...]) -> Sequence[Piece]:
    """Return the parts of a format; formats without ``*`` are cached."""
    known = _FORMATS.get((template, len(args)))
    if known is None:
        known = [*directives(template, args)]
        if "*" not in template:
            _FORMATS.put((template, len(args)), known, deep_size([template, known]))
    return known


_FORMATS: Final[Memo[tuple[str, int], Sequence[Piece]]] = process_wide("formats")


def _piece(piece: Piece, args: tuple[Value, ...]) -> str:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Directive):
        return _argument(piece.flags, args[piece.argument], piece.verb)
    value = args[piece.argument]
    return "<nil>" if is_invalid(value) else f"{type_of(value)}={format_value(value)}"


def _argument(flags: FmtFlags, value: Value, verb: str) -> str:
    """Return the text of one operand itself, not of a value inside it."""
    if is_invalid(value):
        return printf.pad(flags, "<nil>") if verb in "Tv" else f"%!{verb}(<nil>)"
    if verb == "T":
        return printf.string(flags, type_of(value).name)
    return _value(flags, value, verb)


def _bad_verb(flags: FmtFlags, value: Value, verb: str) -> str:
    return f"%!{verb}({type_of(value)}={_value(flags, value, 'v', methods=False)})"


def _value(flags: FmtFlags, value: Value, verb: str, *, methods: bool = True) -> str:  # noqa: PLR0911 - a case a kind
    """Return the text of a value other than nil; ``methods`` says whether its String method is used."""
    if verb == "p":
        return _address(value)
    if verb == "w":  # it wraps an error, which templates do not have
        return _bad_verb(flags, value, verb)
    if methods and (text := _own_text(flags, value, verb)) is not None:
        return _string(flags, value, text, verb)
    if isinstance(value, str):
        return _string(flags, value, value, verb)
    if isinstance(value, Pointer):
        return _element(flags, value.value, verb, methods=methods)
    if isinstance(value, NilPointer):
        return _nil_pointer(flags, value, verb)
    if isinstance(value, dict):
        return _map(flags, value, verb, methods=methods)
    if isinstance(value, list):
        return _list(flags, value, verb, methods=methods)
    if isinstance(value, Struct):
        return _struct(flags, value, verb, methods=methods)
    return _number(flags, value, verb)


def _own_text(flags: FmtFlags, value: Value, verb: str) -> str | None:
    if flags.sharp_v or verb not in _STRINGER_VERBS or isinstance(value, (Pointer, NilPointer)):
        return None
    declared = getattr(value, "type", None)
    if not isinstance(declared, Type) or declared.stringer is None:
        return None
    if declared.nil_text and not (isinstance(value, Struct) and value.pointer):
        return None
    return declared.stringer(value)


def _address(value: Value) -> str:
    if isinstance(value, (NilPointer, Pointer, Struct, dict, list)) or kind(value) == "func":
        raise FunctionError(f"the address of a {type_of(value)} is not printed: it differs from run to run")
    return _bad_verb(_PLAIN, value, "p")


def _string(flags: FmtFlags, value: Value, text: str, verb: str) -> str:
    if verb == "s" or (verb == "v" and not flags.sharp_v):
        return printf.string(flags, text)
    if verb in "vq":
        return printf.quoted(flags, text)
    if verb in "xX":
        return printf.hexadecimal(flags, text, upper=verb == "X")
    return _bad_verb(flags, value, verb)


def _number(flags: FmtFlags, value: Value, verb: str) -> str:
    declared = type_of(value)
    if declared.kind == "bool":
        shown = "true" if value else "false"
        return printf.pad(flags, shown) if verb in "tv" else _bad_verb(flags, value, verb)
    if declared.kind in _NUMBERS:
        return _integer(flags, value, verb)
    if declared.kind == "func":
        raise FunctionError(f"a function ({declared}) is not printed: Go would show its address")
    if verb not in "vbgGxXfFeE":
        return _bad_verb(flags, value, verb)
    form = {"v": "g", "F": "f"}.get(verb, verb)
    if declared.kind in FLOAT_KINDS:
        return printf.floating(flags, value, form)
    return printf.complex_number(flags, value, form)


def _integer(flags: FmtFlags, value: int, verb: str) -> str:
    number = int(value)
    if verb == "v" and flags.sharp_v and type_of(value).kind in UNSIGNED_KINDS:
        return printf.integer(replace(flags, sharp=True), number, "x")
    if verb in _BASES:
        return printf.integer(flags, number, _BASES[verb], octal_prefix=verb == "O")
    if verb == "c":
        return printf.pad(flags, printf.rune(number))
    if verb == "q":
        return printf.quoted_character(flags, number)
    if verb == "U":
        return printf.unicode_point(flags, number)
    return _bad_verb(flags, value, verb)


def _nil_pointer(flags: FmtFlags, value: NilPointer, verb: str) -> str:
    target = value.type.elem
    if target is not None and target.stringer is not None and verb in _STRINGER_VERBS and not flags.sharp_v:
        # The String of a value fails on a nil pointer, which fmt sees and says as it is.
        return _string(flags, value, target.nil_text, verb) if target.nil_text else "<nil>"
    if verb == "v":
        return f"({value.type})(nil)" if flags.sharp_v else printf.pad(flags, "<nil>")
    if verb in "bodxX":
        return printf.integer(flags, 0, _BASES[verb])
    return f"%!{verb}({value.type}={printf.pad(flags, '<nil>')})"


# Composite values.


def _element(flags: FmtFlags, value: Value, verb: str, *, methods: bool) -> str:
    """Return the text of a value inside another one."""
    if is_invalid(value):
        return "interface {}(nil)" if flags.sharp_v else "<nil>"
    return _value(flags, value, verb, methods=methods)


def _joined(flags: FmtFlags, opening: str, parts: Iterable[str], closing: str) -> str:
    return opening + (", " if flags.sharp_v else " ").join(parts) + closing


def _map(flags: FmtFlags, value: dict[Value, Value], verb: str, *, methods: bool) -> str:
    parts = (
        f"{_element(flags, key, verb, methods=methods)}:{_element(flags, value[key], verb, methods=methods)}"
        for key in sorted_keys(value)
    )
    if not flags.sharp_v:
        return _joined(flags, "map[", parts, "]")
    if isinstance(value, TypedMap) and value.is_nil:
        return f"{value.type}(nil)"
    return _joined(flags, f"{type_of(value)}{{", parts, "}")


def sorted_keys(value: dict[Value, Value]) -> list[Value]:
    """Return the keys in the order in which Go prints a map: strings by their bytes, numbers by size."""
    return sorted(value, key=_key_order)


def _key_order(key: Value) -> Value:
    return key.encode(errors="surrogateescape") if isinstance(key, str) else key


def _list(flags: FmtFlags, value: list[Value], verb: str, *, methods: bool) -> str:
    declared = type_of(value)
    is_bytes = declared.elem is not None and declared.elem.kind == "uint8"
    if is_bytes and verb in "sqxX":
        return _string(flags, value, bytes(value).decode(errors="surrogateescape"), verb)
    parts = (_element(flags, element, verb, methods=methods) for element in value)
    if not flags.sharp_v:
        return _joined(flags, "[", parts, "]")
    name = "[]byte" if is_bytes else declared.name
    if isinstance(value, TypedList) and value.is_nil:
        return f"{name}(nil)"
    return _joined(flags, f"{name}{{", parts, "}")


def _struct(flags: FmtFlags, value: Struct, verb: str, *, methods: bool) -> str:
    if value.type.opaque:
        raise UnknownTextError(f"the private fields of a {value.type}, which Go prints here, are not known")
    named = flags.plus_v or flags.sharp_v
    parts = (
        (f"{name}:" if named else "") + _element(flags, field, verb, methods=methods)
        for name, field in deref(value).items()
    )
    address = "&" if value.pointer else ""
    type_name = str(value.type) if flags.sharp_v else ""
    return _joined(flags, f"{address}{type_name}{{", parts, "}")
