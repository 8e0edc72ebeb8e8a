"""A release's minor in, the fields of pods that came to Kubernetes after it out. Knows no pod.

The fields are those that k8s.io/api gained from v0.21 to v0.34, each under the Istio minor that was the
first to be built with that version. What only such a field leads to needs no entry of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FIELDS_SINCE: Final[Mapping[int, str]] = {
    10: "PodAffinityTerm.namespaceSelector Probe.terminationGracePeriodSeconds",
    12: "ManagedFieldsEntry.subresource PersistentVolumeClaimSpec.dataSourceRef "
    "WindowsSecurityContextOptions.hostProcess",
    13: "PodSpec.os Probe.grpc",
    14: "TopologySpreadConstraint.minDomains",
    16: "PodSpec.hostUsers TopologySpreadConstraint.matchLabelKeys "
    "TopologySpreadConstraint.nodeAffinityPolicy TopologySpreadConstraint.nodeTaintsPolicy",
    17: "PodSpec.resourceClaims PodSpec.schedulingGates ResourceRequirements.claims",
    18: "Container.resizePolicy EphemeralContainer.resizePolicy",
    19: "Container.restartPolicy EphemeralContainer.restartPolicy",
    21: "LifecycleHandler.sleep PersistentVolumeClaimSpec.volumeAttributesClassName "
    "PodAffinityTerm.matchLabelKeys PodAffinityTerm.mismatchLabelKeys VolumeProjection.clusterTrustBundle",
    22: "PodSecurityContext.appArmorProfile SecurityContext.appArmorProfile VolumeMount.recursiveReadOnly",
    24: "PodResourceClaim.resourceClaimName PodResourceClaim.resourceClaimTemplateName "
    "PodSecurityContext.supplementalGroupsPolicy ResourceClaim.request Volume.image",
    25: "PodSecurityContext.seLinuxChangePolicy PodSpec.resources",
    27: "Lifecycle.stopSignal",
    28: "Container.restartPolicyRules EnvVarSource.fileKeyRef EphemeralContainer.restartPolicyRules "
    "PodSpec.hostnameOverride VolumeProjection.podCertificate",
}
"""A minor of Istio -> the fields that its types were the first to have, as ``Type.field``."""


def fields_after(minor: int) -> frozenset[str]:
    """Return the fields that the types of an Istio minor do not have yet."""
    return frozenset(
        field for since, fields in FIELDS_SINCE.items() if since > minor for field in fields.split()
    )
