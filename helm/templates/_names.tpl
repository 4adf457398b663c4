{{/* The name of everything: the release's, with zopp in it. */}}
{{- define "zopp.name" -}}
{{- if contains "zopp" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-zopp" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* A name for what has no namespace. */}}
{{- define "zopp.clusterName" -}}
{{ printf "%s-%s" .Release.Namespace (include "zopp.name" .) }}
{{- end }}

{{- define "zopp.keyringName" -}}
{{ include "zopp.name" . }}-keyring
{{- end }}

{{/* The account of the keyring: the operator's own, where they share a pod. */}}
{{- define "zopp.keyringAccount" -}}
{{ if eq .Values.mode "sidecar" }}{{ include "zopp.name" . }}{{ else }}{{ include "zopp.keyringName" . }}{{ end }}
{{- end }}

{{- define "zopp.seedSecret" -}}
{{ .Values.keyring.seedSecret | default (printf "%s-seed" (include "zopp.name" .)) }}
{{- end }}

{{- define "zopp.seedShare" -}}
{{ include "zopp.seedSecret" . }}-share
{{- end }}

{{/* The ConfigMap with the public key that the operator pins. */}}
{{- define "zopp.publicKey" -}}
{{ include "zopp.name" . }}-keyring-key
{{- end }}

{{/* The Lease by which one of several operators leads. */}}
{{- define "zopp.lease" -}}
{{ include "zopp.name" . }}-operator
{{- end }}

{{/* Whether operators and keyrings elect who works: not where there is one pod of both, which an upgrade ends before the next one starts. */}}
{{- define "zopp.elects" -}}
{{ if or (eq .Values.mode "deployment") (gt (int .Values.replicas) 1) }}true{{ end }}
{{- end }}

{{- define "zopp.selector" -}}
app.kubernetes.io/name: zopp
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Metadata but name and namespace. Call with the root, or with (dict "root" $ "component" …, "annotations" (dict …), "labels" (dict …)). */}}
{{- define "zopp.meta" -}}
{{- $root := .root | default . -}}
labels:
  {{- $labels := dict "app.kubernetes.io/name" "zopp" "app.kubernetes.io/instance" $root.Release.Name "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/managed-by" $root.Release.Service "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version) }}
  {{- with .component }}{{ $labels = set $labels "app.kubernetes.io/component" . }}{{ end }}
  {{- toYaml (merge $labels (.labels | default dict) $root.Values.extraLabels) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) $root.Values.extraAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Call with (dict "root" $ "image" .Values.image.operator). */}}
{{- define "zopp.image" -}}
{{- $registry := .root.Values.image.registry }}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* How many audit segments stay: none is deleted where the operator, with the keyring's account, could delete them too. */}}
{{- define "zopp.auditKeep" -}}
{{- if ne (toString .Values.keyring.auditKeep) "" }}{{ .Values.keyring.auditKeep }}{{ else if eq .Values.mode "sidecar" }}0{{ else }}512{{ end }}
{{- end }}
