"""A pod's annotation and the configuration in, names of templates out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from injector.budget import Budget
from injector.errors import InjectionError
from injector.golang.strconv import quote
from injector.injection.snapshot import InjectConfig

TEMPLATES: Final = "inject.istio.io/templates"


def select_templates(annotations: Mapping[str, str], config: InjectConfig, budget: Budget) -> tuple[str, ...]:
    """Return the templates to apply, in order; aliases are resolved once and may stand for none.

    Raises LimitError where there are too many, whether they are named or stand behind aliases.
    """
    listed = annotations.get(TEMPLATES)
    if listed is None:
        asked: Iterable[str] = config.default_templates
        sentence = "{} templates apply to the pod by default"
    else:
        asked = (name.strip() for name in listed.split(","))
        sentence = f"{TEMPLATES} names {{}} templates"
        budget.hold("templates", listed.count(",") + 1, sentence)
    templates = tuple(_resolved(asked, config.aliases))
    budget.hold("templates", len(templates), sentence)
    return templates


def _resolved(names: Iterable[str], aliases: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for name in names:
        yield from aliases.get(name, (name,))


def template_of(name: str, templates: Mapping[str, Any]) -> Any:
    """Return the template of that name; raises InjectionError naming those that exist."""
    try:
        return templates[name]
    except KeyError:
        known = ", ".join(sorted(templates))
        error = InjectionError(f"requested template {quote(name)} not found; have {known}")
        error.gate = "templates"
        raise error from None
