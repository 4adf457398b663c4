{{/* Values that cannot mean anything good, each with its sentence. */}}
{{- define "zopp.refuse" -}}
{{- $v := .Values }}
{{- if and $v.firstUse $v.trust }}
{{- fail "\n\nfirstUse and trust exclude each other: with trust, only the workspaces that it pins are served; remove firstUse." }}
{{- end }}
{{- if not (or $v.firstUse $v.trust) }}
{{- fail "\n\ntrust is empty, and a keyring serves only workspaces that it was told about. `zopp trust`, on a machine of one of the workspace's owners, prints the pin (`zopp init` does too):\n\n  --set 'trust[0]=acme@20261127060606:8df9…'\n\nTo try zopp out, --set firstUse=true serves the first workspace that appears, whoever made it." }}
{{- end }}
{{- if and $v.allNamespaces $v.namespaces }}
{{- fail "\n\nallNamespaces and namespaces exclude each other: list the namespaces to serve, or serve them all." }}
{{- end }}
{{- if not (or $v.allNamespaces $v.namespaces) }}
{{- fail "\n\nnamespaces is empty: list the namespaces whose bundles shall become Secrets, such as --set 'namespaces={shop-prod,shop-staging}' (or set mode=deployment and allNamespaces=true)." }}
{{- end }}
{{- if and $v.allNamespaces (ne $v.mode "deployment") }}
{{- fail "\n\nallNamespaces needs mode=deployment: whoever may write Secrets everywhere can reach what the keyring's account holds, so the keyring must not share the operator's pod and account." }}
{{- end }}
{{- if has .Release.Namespace $v.namespaces }}
{{- fail (printf "\n\nnamespaces lists %s, the release's own: the keyring's seed and log are there, and no bundle may become a Secret beside them. Install the chart in a namespace of its own." .Release.Namespace) }}
{{- end }}
{{- if has "kube-system" $v.namespaces }}
{{- fail "\n\nnamespaces lists kube-system: no environment may serve it." }}
{{- end }}
{{- if eq .Release.Namespace "kube-system" }}
{{- fail "\n\nthe release's namespace is kube-system: install the chart in a namespace of its own (--namespace zopp-system --create-namespace)." }}
{{- end }}
{{- if and $v.operator.restarts $v.rbac.create (not $v.admissionPolicies.enabled) }}
{{- fail "\n\noperator.restarts needs admissionPolicies.enabled: whoever may patch a workload can run anything in its place, and the policy keeps the operator to the one annotation that restarts it." }}
{{- end }}
{{- if and $v.operator.rotationJobs $v.rbac.create (not $v.admissionPolicies.enabled) }}
{{- fail "\n\noperator.rotationJobs needs admissionPolicies.enabled: whoever may create Jobs can run anything on every Secret of the namespace, and the policy keeps the operator to those that rotations need." }}
{{- end }}
{{- if and (ne (int $v.operator.shards) 1) (eq $v.mode "sidecar") }}
{{- fail (printf "\n\noperator.shards is %v and must be 1 with mode=sidecar: one keyring serves there, and the operator of its pod works on everything." $v.operator.shards) }}
{{- end }}
{{- if and (lt (int $v.replicas) (int $v.operator.shards)) (eq $v.mode "deployment") }}
{{- fail (printf "\n\noperator.shards is %v and replicas is %v: an operator works on one shard, and changes in a shard without one wait. Set replicas to as many, or one more, which stands by for all." $v.operator.shards $v.replicas) }}
{{- end }}
{{- if and (ne (int $v.keyring.replicas) 1) (eq $v.mode "sidecar") }}
{{- fail (printf "\n\nkeyring.replicas is %v and must be 1 with mode=sidecar: the keyring is in the operator's pod there, so that there are as many as replicas says." $v.keyring.replicas) }}
{{- end }}
{{- end }}
