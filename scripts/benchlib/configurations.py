"""Configurations by name, to serve or to load. Independent of servers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from injector.injection.injector import Injector
from injector.templates import built_in

ROOT: Final = Path(__file__).parents[2]
SHARED: Final = ROOT.parent / "shared"
CONDITIONS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The three texts from which an injector is loaded, and their name in the output."""

    title: str
    config: str
    values: str
    mesh: str
    release: str | None = None

    def load(self) -> Injector:
        """Return the injector."""
        return Injector.load(self.config, self.values, self.mesh, release=self.release)

    def write(self, folder: Path) -> list[str]:
        """Write the texts, and return the arguments for `serve`."""
        options = [f"--release={self.release}"] if self.release else []
        texts = (("injectConfig", self.config), ("injectValues", self.values), ("meshConfig", self.mesh))
        for option, text in texts:
            path = folder / option
            path.write_text(text)
            options.append(f"--{option}={path}")
        return options


def known() -> list[str]:
    """Return the names that `named` accepts."""
    return [*_MADE]


def named(name: str) -> Configuration:
    """Return a configuration by its name."""
    return _MADE[name]()


def reviews_folder() -> Path | None:
    """Return the folder with recorded reviews, where it is there."""
    folder = SHARED / "bench"
    return folder if folder.is_dir() else None


def _newest_istio() -> Configuration:
    """Return the newest Istio's default template if the reference data exists, else the built-in one."""
    given = os.environ.get("CONFORMANCE_DIR")
    conformance = Path(given) if given else SHARED / "conformance"
    releases = [path for path in conformance.glob("1.*") if (path / "configs" / "default.yaml").is_file()]
    if not releases:
        return _built_in("the built-in template (the reference data with Istio's is not here)")
    newest = max(releases, key=lambda path: int(path.name.partition(".")[2]))
    return Configuration(
        title=f"Istio {newest.name}'s own template with its default values",
        config=(newest / "configs" / "default.yaml").read_text(),
        values=_text(newest / "values" / "default.json") or "{}",
        mesh=_text(newest / "mesh" / "default.yaml"),
        release=newest.name,
    )


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _built_in(title: str = "the built-in template", name: str = "istio") -> Configuration:
    template = built_in(name)
    return Configuration(title=title, config=template.config, values=template.values, mesh="")


def _log_shipper() -> Configuration:
    return _built_in("the log shipper, a template that is not Istio's", "log-shipper")


def _branches() -> Configuration:
    """Return a template whose text depends on ten annotations: it has a thousand possible outputs."""
    conditions = "\n".join(
        f"""      {{{{- if eq (index .ObjectMeta.Annotations "bench/{letter}") "on" }}}}
      - name: OPTION_{letter.upper()}
        value: "{{{{ .ObjectMeta.Name }}}}"
      {{{{- end }}}}"""
        for letter in "abcdefghij"[:CONDITIONS]
    )
    template = f"""metadata:
  labels:
    bench: "yes"
spec:
  containers:
  - name: shipper
    image: registry.example/shipper:1
    env:
      - name: POD
        value: "{{{{ .ObjectMeta.Name }}}}"
{conditions}
    resources:
      limits:
        memory: 64Mi
"""
    text = "\n".join(f"    {line}" for line in template.splitlines())
    config = f"policy: enabled\ndefaultTemplates: [branches]\ntemplates:\n  branches: |\n{text}\n"
    return Configuration(
        title=f"a template with {CONDITIONS} conditions on annotations", config=config, values="{}", mesh=""
    )


_MADE: Final = {
    "istio": _newest_istio,
    "built-in": _built_in,
    "log-shipper": _log_shipper,
    "branches": _branches,
}
