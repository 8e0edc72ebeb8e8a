"""Read and write YAML and JSON text, byte for byte as Kubernetes' Go libraries do."""

from injector.kubeyaml.counting import count_nodes, count_values
from injector.kubeyaml.layout import keep_layout
from injector.kubeyaml.nodes import Positions, line_of
from injector.kubeyaml.reading import Document, documents, load
from injector.kubeyaml.skeleton import Filled, Skeleton
from injector.kubeyaml.writing import dump

__all__ = [
    "Document",
    "Filled",
    "Positions",
    "Skeleton",
    "count_nodes",
    "count_values",
    "documents",
    "dump",
    "keep_layout",
    "line_of",
    "load",
]
