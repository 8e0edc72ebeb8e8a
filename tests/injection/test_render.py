from __future__ import annotations

from dataclasses import replace

import pytest

from injector.budget import Budget
from injector.injection.inject import request_for
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.render import render_template, template_data

CONFIG = "policy: enabled\ntemplates:\n  sidecar: |\n    ids: {{ .ProxyUID }} {{ .ProxyGID }}\n"
NAMESPACE = {"metadata": {"annotations": {"openshift.io/sa.scc.uid-range": "1000/100"}}}
POD = {"metadata": {"name": "web"}, "spec": {"containers": []}}


@pytest.mark.parametrize(
    ("env", "by_hand", "ids"),
    [
        ({"PLATFORM": "openshift"}, False, "1099 1099"),
        ({"PLATFORM": "openshift"}, True, "1337 1337"),
        ({}, False, "1337 1337"),
    ],
)
def test_the_namespace_is_looked_at_by_the_webhook_on_openshift_only(env, by_hand, ids) -> None:
    snapshot = load_snapshot(
        Sources(config=CONFIG), Surroundings(release="1.31", env=env, namespaces={"shop": NAMESPACE})
    )
    budget = Budget(snapshot.limits)
    request = replace(
        request_for(POD, "shop", "shop", "/inject", snapshot, budget),
        by_hand=by_hand,
    )
    data = template_data(request, snapshot, POD)
    assert render_template(snapshot.templates["sidecar"], data, snapshot, budget).value == {"ids": ids}
