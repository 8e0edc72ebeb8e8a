from __future__ import annotations

import pytest

from injector.injection.steps.pods import KINDS
from injector.injection.steps.users import adjust_init_user, reset_openshift_user
from tests.injection.steps.builders import a_container, a_pod, an_injection, the_proxy

INIT_ARGS = ["-p", "15001", "-u", "1337", "-m", "REDIRECT"]


def reset(pod, compared=KINDS):
    return reset_openshift_user(pod, compared)


def own(**security):
    return a_pod(a_container(), a_container("istio-proxy", securityContext=security))


def injected(init="istio-init", args=INIT_ARGS, **fields):
    return a_pod(
        a_container(),
        a_container("istio-proxy", securityContext={"runAsUser": 1337}),
        init=[a_container(init, args=args)],
        **fields,
    )


def adjusted(pod, original, *, tproxy=False):
    return adjust(pod, original, tproxy=tproxy)["spec"]["initContainers"][0]


def adjust(pod, original, *, tproxy=False):
    mesh = "defaultConfig: {interceptionMode: TPROXY}" if tproxy else ""
    return adjust_init_user(pod, an_injection(original=original, mesh=mesh))


def test_the_redirect_rules_follow_the_proxys_own_user():
    init = adjusted(injected(), own(runAsUser=1000))
    assert init["args"] == ["-p", "15001", "-u", "1000", "-m", "REDIRECT"]
    assert "securityContext" not in init


def test_validation_runs_as_the_proxy():
    init = adjusted(injected("istio-validation"), own(runAsUser=1000, runAsGroup=2000))
    assert init["securityContext"] == {"runAsUser": 1000, "runAsGroup": 2000}
    assert init["args"][3] == "1000"


def test_a_group_alone_changes_no_rule():
    init = adjusted(injected("istio-validation"), own(runAsGroup=2000))
    assert init["securityContext"] == {"runAsGroup": 2000}
    assert init["args"] == INIT_ARGS


def test_no_rule_is_made_for_root():
    assert adjusted(injected(), own(runAsUser=0))["args"] == INIT_ARGS


@pytest.mark.parametrize("args", [[], ["-u"], ["-p", "1"], None])
def test_arguments_without_a_user_stay(args):
    assert adjusted(injected(args=args), own(runAsUser=5))["args"] == args


@pytest.mark.parametrize(
    ("tproxy", "annotations"), [(True, None), (False, {"sidecar.istio.io/interceptionMode": "TPROXY"})]
)
def test_with_tproxy_the_proxy_is_root_and_validation_stays(tproxy, annotations):
    pod = adjust(injected("istio-validation", annotations=annotations), own(runAsUser=9), tproxy=tproxy)
    assert the_proxy(pod)["securityContext"]["runAsUser"] == 0
    assert "securityContext" not in pod["spec"]["initContainers"][0]
    assert pod["spec"]["initContainers"][0]["args"][3] == "9"


def test_with_tproxy_and_no_proxy_only_the_rules_follow():
    pod = a_pod(init=[a_container("istio-init", args=INIT_ARGS)])
    assert adjusted(pod, own(runAsUser=9), tproxy=True)["args"][3] == "9"


@pytest.mark.parametrize("original", [a_pod(), own(), own(runAsNonRoot=True)])
def test_nothing_changes_where_the_owner_sets_no_user(original):
    pod = injected()
    assert adjust(pod, original) is pod


def test_before_1_20_the_user_is_not_followed():
    pod = injected()
    assert adjust_init_user(pod, an_injection("1.19", original=own(runAsUser=1000))) is pod


def test_nothing_changes_where_no_set_up_container_is():
    pod = a_pod(a_container("istio-proxy"))
    assert adjust(pod, own(runAsUser=1)) is pod


def openshift(application, proxy, **others):
    return a_pod(
        a_container(securityContext=application),
        a_container("istio-proxy", securityContext=proxy),
        init=[a_container(name, securityContext=security) for name, security in others.items()],
    )


def test_the_proxys_user_is_reset_where_it_is_the_applications():
    pod = reset(openshift({"runAsUser": 7}, {"runAsUser": 7, "runAsGroup": 8, "privileged": False}))
    assert the_proxy(pod)["securityContext"] == {"privileged": False}


def test_two_unset_users_are_the_same_so_the_group_goes():
    assert the_proxy(reset(openshift({}, {"runAsGroup": 8})))["securityContext"] == {}


def test_a_user_of_its_own_stays_and_set_up_containers_do_not_count():
    pod = openshift({"runAsUser": 1}, {"runAsUser": 2}, **{"istio-init": {"runAsUser": 2}})
    assert reset(pod) is pod


def test_the_last_application_container_counts():
    pod = openshift({"runAsUser": 1}, {"runAsUser": 2}, setup={"runAsUser": 2})
    assert the_proxy(reset(pod))["securityContext"] == {}


@pytest.mark.parametrize("pod", [a_pod(), a_pod(a_container("istio-proxy"))])
def test_a_pod_without_a_secured_proxy_stays(pod):
    assert reset(pod) is pod


def test_the_user_of_a_native_proxy_counts_only_where_init_containers_are_compared():
    proxy = a_container("istio-proxy", securityContext={"runAsUser": 7, "runAsGroup": 8})
    pod = a_pod(a_container(), init=[proxy])
    assert reset(pod) is pod
    assert the_proxy(reset(pod, ("containers",)))["securityContext"] == {}
