"""YAML and JSON text in and out, byte for byte as Kubernetes' Go libraries.

Knows nothing of templates or pods.
"""

from injector.kubeyaml.documents import Document, documents
from injector.kubeyaml.layout import keep_layout
from injector.kubeyaml.reading import load, load_strict
from injector.kubeyaml.skeleton import Skeleton, Untrusted
from injector.kubeyaml.skeletoncache import Filled, SkeletonCache
from injector.kubeyaml.writing import dump

__all__ = [
    "Document",
    "Filled",
    "Skeleton",
    "SkeletonCache",
    "Untrusted",
    "documents",
    "dump",
    "keep_layout",
    "load",
    "load_strict",
]
