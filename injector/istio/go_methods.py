"""Methods of Kubernetes' Go structs that a template may call, by the rules that their code generators follow.

Every struct can be copied, and an ObjectMeta has a getter for each of its fields. The other methods serve
programs: they are known by name only, and calling one is an error that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Never, TypeAlias

from injector.gotemplate import types
from injector.gotemplate.functions import FunctionError, UnknownTextError
from injector.gotemplate.types import Method, StructField, StructType, Type
from injector.gotemplate.values import NilPointer, Struct, Value

Methods: TypeAlias = Mapping[str, Method]

NIL_DEREFERENCE: Final = "runtime error: invalid memory address or nil pointer dereference"


def of_value(result: Type, read: Callable[..., Any], *params: Type) -> Method:
    """Return a method of a value; calling it on a nil pointer fails."""
    return Method(call=_refusing_nil(read), result=result, params=params)


def of_pointer(result: Type, read: Callable[..., Any], *params: Type) -> Method:
    """Return a method of a pointer that fails on a nil one."""
    return Method(call=_refusing_nil(read), result=result, params=params, of_pointer=True)


def _refusing_nil(read: Callable[..., Any]) -> Callable[..., Any]:
    def called(receiver: Value, *args: Value) -> Value:
        if isinstance(receiver, NilPointer):
            raise FunctionError(NIL_DEREFERENCE)
        return read(receiver, *args)

    return called


def string_of_pointer(text: Callable[[Value], str], nil_text: str) -> Method:
    """Return String as a method of the pointer, which a nil pointer has too."""
    return Method(
        call=lambda receiver: nil_text if isinstance(receiver, NilPointer) else text(receiver),
        result=types.STRING,
        of_pointer=True,
    )


def left_out(names: Iterable[str], owner: str) -> Methods:
    """Return methods that a template cannot call here, though Go has them."""
    return {name: Method(call=_refusal(owner), result=types.ANY, params=None) for name in names}


def _refusal(owner: str) -> Callable[..., Never]:
    def refuse(*_values: Value) -> Never:
        raise FunctionError(f"{owner} has this method, but templates cannot call it here")

    return refuse


_GENERATED: Final = (
    "DeepCopyInto", "Descriptor", "Marshal", "MarshalTo", "MarshalToSizedBuffer", "OpenAPIModelName",
    "ProtoMessage", "Reset", "Size", "SwaggerDoc", "Unmarshal", "XXX_DiscardUnknown", "XXX_Marshal",
    "XXX_Merge", "XXX_Size", "XXX_Unmarshal",
)  # fmt: skip
"""The methods that generators write for every struct, except DeepCopy and String."""

_METADATA: Final = "meta/v1.ObjectMeta"
_NIL: Final = "nil"
"""What the String that generators write says of a nil pointer."""


def methods_of(expression: str, name: str, fields: Mapping[str, StructField]) -> Methods:
    """Return the methods of a struct of Kubernetes by its name in the schema; ``name`` is Go's."""
    methods = {
        **left_out(_GENERATED, name),
        "DeepCopy": _copy(),
        "String": string_of_pointer(unprinted(name), _NIL),
    }
    if expression == _METADATA:
        methods |= {f"Get{field}": _getter(field, declared.type) for field, declared in fields.items()}
        methods |= left_out([f"Set{field}" for field in fields], name)
        methods["GetObjectMeta"] = _itself()
    if expression == "core/v1.Toleration":
        methods |= left_out(("MatchToleration", "ToleratesTaint"), name)
    return methods


def unprinted(name: str) -> Callable[[Value], str]:
    """Return the String of a struct of Kubernetes: Go's text of it names its fields in another order."""

    def refuse(_value: Value) -> Never:
        raise UnknownTextError(f"the text of a {name} is not made here: print its fields, or its JSON")

    return refuse


def _getter(field: str, declared: Type) -> Method:
    return of_pointer(types.without_address(declared), lambda receiver: _returned(receiver.get(field)))


def _returned(value: Value) -> Value:
    return value.boxed() if isinstance(value, Struct) else value


def _copy() -> Method:
    # Nothing can change it, so that it need not be copied; of a nil pointer Go's copy is nil.
    def copy(receiver: Value) -> Value:
        return receiver if isinstance(receiver, NilPointer) else receiver.same(pointer=True)

    return Method(call=copy, result=types.ANY, of_pointer=True)


def _kinds_text(value: Struct) -> str:
    return f"&TypeMeta{{Kind:{value.get('Kind')},APIVersion:{value.get('APIVersion')},}}"


def _itself() -> Method:
    return of_pointer(types.ANY, lambda receiver: receiver.same(pointer=True))


TYPE_META: Final = StructType(
    name="v1.TypeMeta",
    fields={
        "Kind": StructField(json_name="kind", type=types.STRING),
        "APIVersion": StructField(json_name="apiVersion", type=types.STRING),
    },
    stringer=_kinds_text,
    nil_text=_NIL,
    methods={
        **left_out((*_GENERATED, "GetObjectKind", "GroupVersionKind", "SetGroupVersionKind"), "v1.TypeMeta"),
        "DeepCopy": _copy(),
        "String": string_of_pointer(_kinds_text, _NIL),
    },
)
"""The workload's kind and apiVersion."""
