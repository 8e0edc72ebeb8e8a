"""Compile Go's text/template to Python functions. Independent of pods, YAML and Kubernetes.

Read compile.py first, then statements.py and expressions.py; lex, nodes and parse are Go's own split.
"""

from injector.gotemplate.compile import Template, compile_template
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.parse import parse
from injector.gotemplate.types import StructType, Type, pointer_to, slice_of
from injector.gotemplate.values import NilPointer, StringMap, Struct, Value, from_json

__all__ = [
    "Function",
    "FunctionError",
    "NilPointer",
    "StringMap",
    "Struct",
    "StructType",
    "Template",
    "Type",
    "Value",
    "compile_template",
    "from_json",
    "parse",
    "pointer_to",
    "slice_of",
]
