"""Two maps in, the first one with what the second adds, as mergo merges.

mergo's own rules: lists are kept or replaced whole; what counts as empty in the target (0, "", false, nil,
an empty list or map) is filled; overwriting puts in empty values of the source as well.
"""

from __future__ import annotations

from injector.gotemplate.values import Value


def merge_into(target: dict[str, Value], source: dict[str, Value], *, overwrite: bool) -> None:
    """Change ``target`` in place; maps that it lacks are shared with ``source``."""
    for key, value in source.items():
        if value is None:
            if overwrite:
                target[key] = None
            continue
        present = target.get(key)
        if isinstance(value, dict) and isinstance(present, dict):
            merge_into(present, value, overwrite=overwrite)
            if present:
                continue
        if overwrite or not present:
            target[key] = value
