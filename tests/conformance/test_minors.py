"""The reference cases of further minors, recorded at each one's last tag.

$DIFFERENTIAL=full, or ``python -m tests.conformance --minors``, asks every one of them.
"""

from __future__ import annotations

import pytest

from tests.conformance.cases import Case, load, releases
from tests.conformance.exceptions import expected_to_differ
from tests.conformance.judge import judge
from tests.conformance.test_conformance import MODES, told
from tests.conftest import minors_folder
from tests.oracle import IS_FULL

FOLDER = minors_folder()
RELEASES = releases(FOLDER) if FOLDER else ()
MISSING = "REFERENCE DATA MISSING: no conformance-minors; the rules of further minors are not compared"

pytestmark = pytest.mark.skipif(FOLDER is None, reason=MISSING)

ONE_IN = 1 if IS_FULL else 5
"""Of so many cases one is asked: enough to see each rule that a release has, in seconds."""


def chosen(release: str) -> list[Case]:
    """Return some cases of a minor, and all that are expected to differ."""
    assert FOLDER is not None
    return [
        case
        for index, case in enumerate(load(FOLDER, release))
        if index % ONE_IN == 0 or any(expected_to_differ(case, mode) for mode in MODES)
    ]


@pytest.mark.parametrize("release", RELEASES or ("none",))
@pytest.mark.timeout(600)
def test_a_further_minor_gets_istios_answers_but_for_the_listed_ones(release: str) -> None:
    for mode in MODES:
        verdicts = [judge(case, mode) for case in chosen(release)]
        differing = [v for v in verdicts if not v.passed and not expected_to_differ(v.case, mode)]
        assert not differing, told(differing, mode)
        agreeing = [v.case.name for v in verdicts if v.passed and expected_to_differ(v.case, mode)]
        assert not agreeing, f"no longer different, so take the line away: {agreeing}"
