"""The cases in which we do not answer as Istio did, each with the line of COMPATIBILITY.md that says why.

A case listed here must differ: when it no longer does, its line goes.
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
        """Tell whether the case is expected to differ in a mode of untrusted values."""
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
        )
    ),
    # Fields that 1.12 does not know yet, which Istio drops or leaves behind: `grpc` of probes, and an init
    # container's `restartPolicy`, which makes a sidecar of another one there.
    Deviation(
        releases=r"1\.12",
        names=r"^(default/random-050|tuned/random-013|tuned/random-058|cni/init-native-user)$",
        anchor="Unknown fields stay",
    ),
)


def expected_to_differ(case: Case, mode: str) -> bool:
    """Tell whether a deviation covers the case."""
    return any(deviation.covers(case, mode) for deviation in DEVIATIONS)
