from __future__ import annotations

from injector.injection.overlay.merge import PodTypes
from injector.injection.overlay.vintage import FIELDS_SINCE, fields_after
from injector.patch import go_type
from injector.patch.kinds_data import STRUCTS
from tests.injection.overlay.builders import a_container, a_pod


def test_every_field_of_the_table_is_one_of_our_types():
    structs = {name.rpartition(".")[2]: go_type(name) for name in STRUCTS}
    unknown = [
        entry
        for fields in FIELDS_SINCE.values()
        for entry in fields.split()
        for name, _, field in [entry.partition(".")]
        if field not in structs[name].by_name
    ]
    assert unknown == []


def test_the_newest_release_knows_every_field():
    assert fields_after(31) == frozenset()
    assert "PodSpec.hostnameOverride" in fields_after(27)


def test_a_field_is_gone_in_the_types_of_a_release_that_is_older():
    pod = a_pod(init=[a_container(restartPolicy="Always")]) | {"status": {}}
    assert "restartPolicy" in PodTypes(unknown=fields_after(19)).typed(pod)["spec"]["initContainers"][0]
    assert "restartPolicy" not in PodTypes(unknown=fields_after(18)).typed(pod)["spec"]["initContainers"][0]
