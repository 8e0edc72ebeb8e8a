from __future__ import annotations

import pytest

from injector.injection.dot.openshift import proxy_ids

USERS = "openshift.io/sa.scc.uid-range"
GROUPS = "openshift.io/sa.scc.supplemental-groups"


@pytest.mark.parametrize(
    ("annotations", "ids"),
    [
        ({}, (1337, 1337)),
        ({USERS: "1000620000/10000"}, (1000629999, 1000629999)),
        ({USERS: "1000-1999"}, (1999, 1999)),
        ({USERS: "1000/100", GROUPS: "2000/100"}, (1099, 2099)),
        ({USERS: "1000/100", GROUPS: "2000/10,3000/10"}, (1099, 2009)),
        ({USERS: "1000/100", GROUPS: "2000/10,x"}, (1099, 1337)),
        ({USERS: "1000/100", GROUPS: ""}, (1099, 1337)),
        ({USERS: ""}, (1337, 1337)),
        ({USERS: "x"}, (1337, 1337)),
        ({USERS: "1000"}, (1337, 1337)),
        ({USERS: " 1000/ 100 and more"}, (1099, 1099)),
        ({USERS: "1-2/3"}, (1337, 1337)),
        ({USERS: "4294967296/1"}, (1337, 1337)),
        ({USERS: "0/0"}, (4294967295, 4294967295)),
        ({GROUPS: "7-9"}, (1337, 9)),
    ],
)
def test_the_proxy_gets_the_last_id_of_the_range(annotations, ids):
    assert proxy_ids({"metadata": {"annotations": annotations}}) == ids


@pytest.mark.parametrize("namespace", [None, {}, {"metadata": {"annotations": None}}])
def test_without_annotations_the_ids_are_istios(namespace):
    assert proxy_ids(namespace) == (1337, 1337)
