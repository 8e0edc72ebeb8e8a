"""The cases in which we do not answer as Istio did, each with the heading in COMPATIBILITY.md that says why.

A case listed here must differ: when it no longer does, its line must be removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tests.conformance.cases import Case

Mode = Literal["text", "scalar", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Cases of some releases by the pattern of their names; ``anchor`` is a heading in COMPATIBILITY.md."""

    releases: str
    names: str
    anchor: str
    mode: Mode = "both"

    def covers(self, case: Case, mode: str) -> bool:
        """Return whether the case is expected to differ in a mode of untrusted values."""
        return (
            self.mode in ("both", mode)
            and re.fullmatch(self.releases, case.release) is not None
            and re.search(self.names, case.name) is not None
        )


_BREAKS_OUT = "Values that would change the template's YAML"

DEVIATIONS = (
    *(
        Deviation(releases=releases, names=rf"^({names})$", anchor=_BREAKS_OUT, mode="scalar")
        for releases, names in (
            (r"1\.0", "gen-090-weird-string|gen-094-weird-string"),
            (r"1\.2", "gen-082-annotation|gen-090-weird-string"),
            (r"1\.4", "gen-245-weird-string|gen-260-weird-string|gen-262-weird-string"),
            (r"1\.8", "gen-097-weird-string"),
            (r"1\.10", "gen-090-weird-string|gen-097-weird-string|gen-098-weird-string"),
            (r"1\.12|1\.30", "default/yamlish-20"),
            (r"1\.18|1\.22|1\.31", "default/yamlish-14"),
            (r"1\.18|1\.22|1\.24|1\.31", "default/yamlish-19|default/yamlish-29"),
            (r"1\.28|1\.30", "tuned/anno-proxy\\.istio\\.io/config-06"),
            (r"1\.(7|9|13|16|19|23|29)", "annotations/tuned/annotation/0035"),
            (r"1\.(7|9|13)", "annotations/ops/annotation/0061"),
            (r"1\.7", "default/annotation/0135"),
            (r"1\.9", "cni/annotation/0133|default/pc-bad/0261"),
            (r"1\.16", "default/annotation/0098"),
            (r"1\.19", "cni/annotation/0155"),
            (r"1\.23", "tuned/pc-bad/0383"),
            (r"1\.29", "cni/annotation/0210"),
        )
    ),
    # Istio 1.7 rewrites a pod's security context, and its types do not have `seccompProfile` yet.
    Deviation(
        releases=r"1\.7", names=r"^(tuned/raw/0293|ops/raw/0294)$", anchor="Fields newer than the release"
    ),
    # Fields that the release does not have yet, which Istio drops or leaves behind: `grpc` of probes, an init
    # container's `restartPolicy`, which makes another container there a sidecar, and newer sources of
    # volumes.
    *(
        Deviation(releases=releases, names=f"^({names})$", anchor="Unknown fields stay")
        for releases, names in (
            (r"1\.12", "default/random-050|tuned/random-013|tuned/random-058|cni/init-native-user"),
            (r"1\.13", "cni/raw/0294"),
            (r"1\.16", "hold/raw/0296"),
            (r"1\.23", "cni/raw/0429"),
        )
    ),
)


def expected_to_differ(case: Case, mode: str) -> bool:
    """Return whether a deviation covers the case."""
    return any(deviation.covers(case, mode) for deviation in DEVIATIONS)
