"""Go's text/template in, Python functions out. Knows nothing of pods, YAML or Kubernetes.

Read compile.py first, then statements.py and expressions.py; lex, nodes and parse are Go's own split.
"""

from injector.gotemplate.compile import Template, compile_template
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.parse import parse
from injector.gotemplate.types import (
    Enum,
    Method,
    StructField,
    StructType,
    Type,
    enum_type,
    map_of,
    pointer_to,
    slice_of,
)
from injector.gotemplate.values import (
    MISSING,
    NilPointer,
    Pointer,
    StringMap,
    Struct,
    TypedList,
    TypedMap,
    Value,
    from_json,
    message_type,
    read,
)

__all__ = [
    "MISSING",
    "Enum",
    "Function",
    "FunctionError",
    "Method",
    "NilPointer",
    "Pointer",
    "StringMap",
    "Struct",
    "StructField",
    "StructType",
    "Template",
    "Type",
    "TypedList",
    "TypedMap",
    "Value",
    "compile_template",
    "enum_type",
    "from_json",
    "map_of",
    "message_type",
    "parse",
    "pointer_to",
    "read",
    "slice_of",
]
