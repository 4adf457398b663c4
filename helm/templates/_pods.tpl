{{/* The part of a pod's spec that all pods share: who it runs as, and where. */}}
{{- define "zopp.podSpec" -}}
automountServiceAccountToken: false
# a Service called zopp-keyring would set variables that begin like the keyring's own
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.pod }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  seccompProfile:
    type: RuntimeDefault
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "zopp.podMeta" -}}
labels:
  {{- toYaml (merge (dict "app.kubernetes.io/name" "zopp" "app.kubernetes.io/instance" .root.Release.Name "app.kubernetes.io/component" .component) .root.Values.pod.labels .root.Values.extraLabels) | nindent 2 }}
{{- with merge (dict) .root.Values.pod.annotations .root.Values.extraAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What only long-running pods have. */}}
{{- define "zopp.workloadSpec" -}}
terminationGracePeriodSeconds: {{ .Values.pod.terminationGracePeriodSeconds }}
{{- with .Values.pod.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- toYaml (list (hasKey . "labelSelector" | ternary . (merge (dict "labelSelector" (dict "matchLabels" (include "zopp.selector" $ | fromYaml))) .))) | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Several of one kind are put on several nodes where there are. Call with (dict "root" $ "component" … "replicas" …). */}}
{{- define "zopp.spread" -}}
{{- if and (gt (int .replicas) 1) (not .root.Values.pod.topologySpreadConstraints) }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "zopp.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  # else the pods that an upgrade replaces would count, and both new ones may come to one node
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{- define "zopp.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* What kubelet would mount by itself; here it is mounted where it is needed only. */}}
{{- define "zopp.apiVolume" -}}
- name: api
  projected:
    defaultMode: 288 # 0440
    sources:
    - serviceAccountToken:
        path: token
        # not 3607, for which API servers give a token of a year
        expirationSeconds: 3600
    - configMap:
        name: kube-root-ca.crt
        items:
        - key: ca.crt
          path: ca.crt
    - downwardAPI:
        items:
        - path: namespace
          fieldRef:
            fieldPath: metadata.namespace
{{- end }}

{{- define "zopp.apiMount" -}}
- name: api
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}

{{/* Both shares of the seed. Call with (dict "root" $ "optional" bool). */}}
{{- define "zopp.seedVolumes" -}}
- name: seed
  secret:
    secretName: {{ include "zopp.seedSecret" .root | quote }}
    defaultMode: 288 # 0440
    optional: {{ .optional }}
- name: seed-share
  configMap:
    name: {{ include "zopp.seedShare" .root }}
    defaultMode: 288 # 0440
    optional: {{ .optional }}
{{- end }}

{{- define "zopp.seedMounts" -}}
- name: seed
  mountPath: /var/run/zopp/seed
  readOnly: true
- name: seed-share
  mountPath: /var/run/zopp/seed-share
  readOnly: true
{{- end }}

{{/* The volumes of the operator's container. */}}
{{- define "zopp.operatorVolumes" -}}
- name: keyring-token
  projected:
    defaultMode: 288 # 0440
    sources:
    - serviceAccountToken:
        path: token
        audience: zopp-keyring
        expirationSeconds: 3600
- name: keyring-key
  configMap:
    name: {{ include "zopp.publicKey" . }}
{{- end }}

{{/* How many states are kept: none without the policy that keeps the right to those of bundles. */}}
{{- define "zopp.history" -}}
{{- if .Values.admissionPolicies.enabled }}{{ .Values.operator.history }}{{ else }}0{{ end }}
{{- end }}

{{/* OpenTelemetry's own variables: whoever needs more of them has extraEnv. */}}
{{- define "zopp.tracingEnv" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .samplingRatio | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "zopp.operatorContainer" -}}
- name: operator
  image: {{ include "zopp.image" (dict "root" . "image" .Values.image.operator) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
  - --namespaces={{ if .Values.allNamespaces }}*{{ else }}{{ join "," .Values.namespaces }}{{ end }}
  - --keyring={{ if eq .Values.mode "sidecar" }}127.0.0.1{{ else }}{{ include "zopp.keyringName" . }}.{{ .Release.Namespace }}.svc{{ end }}:8443
  - --keyring-key=/etc/zopp/keyring/keyring.pub
  - --token-file=/var/run/secrets/zopp/token
  {{- if include "zopp.elects" . }}
  - --leader-elect={{ .Release.Namespace }}/{{ include "zopp.lease" . }}
  {{- if eq .Values.mode "sidecar" }}
  - --keyring-elects=on
  {{- else }}
  - --shards={{ .Values.operator.shards }}
  {{- end }}
  {{- end }}
  - --workers={{ .Values.operator.workers }}
  - --expiry-warning={{ .Values.operator.expiryWarning }}
  - --history={{ include "zopp.history" . }}
  {{- with .Values.operator.restarts }}
  - --restarts={{ join "," . }}
  {{- end }}
  {{- if .Values.operator.rotationJobs }}
  - --rotation-jobs=on
  {{- end }}
  {{- if .Values.monitoring.perObject }}
  - --object-metrics=on
  {{- end }}
  - --log-level={{ .Values.operator.logLevel }}
  {{- if or .Values.tracing.endpoint .Values.operator.extraEnv }}
  env:
  {{- include "zopp.tracingEnv" . | nindent 2 }}
  {{- with .Values.operator.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
  ports:
  - name: metrics
    containerPort: 8080
  - name: health
    containerPort: 8081
  startupProbe:
    httpGet: {path: /startz, port: health}
    periodSeconds: 1
    failureThreshold: 60
  livenessProbe:
    httpGet: {path: /healthz, port: health}
    periodSeconds: 5
    timeoutSeconds: 5
    failureThreshold: 3
    # what does not answer its probe will not answer SIGTERM
    terminationGracePeriodSeconds: 5
  readinessProbe:
    httpGet: {path: /readyz, port: health}
    periodSeconds: 2
    timeoutSeconds: 5
  resources:
    {{- toYaml .Values.operator.resources | nindent 4 }}
  {{- include "zopp.containerSecurity" . | nindent 2 }}
  volumeMounts:
  {{- include "zopp.apiMount" . | nindent 2 }}
  - name: keyring-token
    mountPath: /var/run/secrets/zopp
    readOnly: true
  - name: keyring-key
    mountPath: /etc/zopp/keyring
    readOnly: true
  {{- with .Values.operator.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "zopp.keyringContainer" -}}
{{- $sidecar := eq .Values.mode "sidecar" -}}
- name: keyring
  image: {{ include "zopp.image" (dict "root" . "image" .Values.image.keyring) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if $sidecar }}
  # a native sidecar: it is started before the operator starts, and stopped when the operator has ended
  restartPolicy: Always
  {{- end }}
  args:
  - serve
  - --seed=/var/run/zopp/seed/seed
  - --seed=/var/run/zopp/seed-share/seed
  - --namespace={{ .Release.Namespace }}
  - --operator-account={{ .Release.Namespace }}/{{ include "zopp.name" . }}
  {{- if $sidecar }}
  - --listen=127.0.0.1:8443
  {{- else }}
  - --operator=remote
  - --listen=:8443
  - --drain-seconds={{ .Values.keyring.drainSeconds }}
  {{- end }}
  {{- if include "zopp.elects" . }}
  - --leader-elect={{ .Release.Namespace }}/{{ include "zopp.keyringName" . }}
  {{- end }}
  {{- if .Values.firstUse }}
  - --first-use
  {{- end }}
  {{- range .Values.trust }}
  - --trust={{ . }}
  {{- end }}
  - --audit-keep={{ include "zopp.auditKeep" . }}
  - --log-level={{ .Values.keyring.logLevel }}
  {{- if or $sidecar .Values.tracing.endpoint .Values.keyring.extraEnv }}
  env:
  {{- include "zopp.tracingEnv" . | nindent 2 }}
  {{- if $sidecar }}
  - name: ZOPP_KEYRING_POD_UID
    valueFrom:
      fieldRef:
        fieldPath: metadata.uid
  {{- end }}
  {{- with .Values.keyring.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
  ports:
  {{- if not $sidecar }}
  - name: keyring
    containerPort: 8443
  {{- end }}
  - name: keyring-metrics
    containerPort: 8082
  - name: keyring-health
    containerPort: 8083
  # a long log is read again at start, and an API server may be slow
  startupProbe:
    httpGet: {path: /startz, port: keyring-health}
    periodSeconds: 1
    failureThreshold: 300
  livenessProbe:
    httpGet: {path: /healthz, port: keyring-health}
    periodSeconds: 5
    timeoutSeconds: 5
    failureThreshold: 3
    # what does not answer its probe will not answer SIGTERM
    terminationGracePeriodSeconds: 5
  {{- if not $sidecar }}
  # /readyz also says whether there is policy; the operator must reach a keyring without. One that ends says so once: the
  # Service must not lead to an address that is gone, where a connection hangs
  readinessProbe:
    httpGet: {path: /startz, port: keyring-health}
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 1
  {{- end }}
  resources:
    {{- toYaml .Values.keyring.resources | nindent 4 }}
  {{- include "zopp.containerSecurity" . | nindent 2 }}
  volumeMounts:
  {{- include "zopp.apiMount" . | nindent 2 }}
  {{- include "zopp.seedMounts" . | nindent 2 }}
  {{- with .Values.keyring.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
