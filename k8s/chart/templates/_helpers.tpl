{{- define "name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: sidecar-injector
app.kubernetes.io/instance: {{ include "name" . }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/component: webhook
app.kubernetes.io/part-of: sidecar-injector
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "metadata" -}}
metadata:
  name: {{ include "name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "labels" . | nindent 4 }}
{{- end }}

{{- define "secret" -}}
{{ .Values.certificates.secret | default (printf "%s-certs" (include "name" .)) }}
{{- end }}

{{- define "image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* Whether the API server knows matchConditions, which 1.28 switched on. */}}
{{- define "conditions" -}}
{{ if and .Values.webhook.matchConditions (semverCompare ">=1.28.0-0" .Capabilities.KubeVersion.Version) }}true{{ end }}
{{- end }}

{{- define "entry" -}}
- name: {{ .name }}
  admissionReviewVersions: [v1]
  clientConfig:
    service:
      name: {{ include "name" .root }}
      namespace: {{ .root.Release.Namespace }}
      path: /inject
      port: 443
  failurePolicy: {{ .root.Values.webhook.failurePolicy }}
  matchPolicy: Equivalent
  reinvocationPolicy: Never
  sideEffects: None
  timeoutSeconds: {{ .root.Values.webhook.timeoutSeconds }}
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: Namespaced}
  namespaceSelector:
    matchExpressions:
    {{- range .namespaces }}
    - {{ toJson . }}
    {{- end }}
  objectSelector:
    matchExpressions:
    {{- range .pods }}
    - {{ toJson . }}
    {{- end }}
  {{- if include "conditions" .root }}
  matchConditions:
  - name: not-host-network
    expression: "!(has(object.spec.hostNetwork) && object.spec.hostNetwork)"
  {{- if .root.Values.istio.enabled }}
  # What istiod has injected in the same admission is left alone.
  - name: not-injected-already
    expression: >-
      !has(object.metadata.annotations) || !('sidecar.istio.io/status' in object.metadata.annotations)
      || !(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])).exists(c,
      (!has(c.image) || c.image != 'auto')
      && object.metadata.annotations['sidecar.istio.io/status'].contains('"' + c.name + '"'))
  {{- else }}
  - name: not-a-mirror-pod
    expression: "!has(object.metadata.annotations) || !('kubernetes.io/config.mirror' in object.metadata.annotations)"
  - name: not-our-own-pod
    expression: "!has(object.metadata.labels) || !('app.kubernetes.io/name' in object.metadata.labels) || object.metadata.labels['app.kubernetes.io/name'] != 'sidecar-injector'"
  {{- end }}
  {{- end }}
{{- end }}
