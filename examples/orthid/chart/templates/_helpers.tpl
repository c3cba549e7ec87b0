{{- define "orthid.labels" -}}
app.kubernetes.io/name: orthid
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "orthid.selector" -}}
app.kubernetes.io/name: orthid
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What the app is configured with, as environment variables: the names changed with 3.0.0. */}}
{{- define "orthid.config" -}}
ORTHID_LISTEN: "0.0.0.0:8080"
ORTHID_DRAIN_SECONDS: {{ .Values.drain.seconds | quote }}
{{- if semverCompare ">=3.0.0" .Chart.AppVersion }}
ORTHID_SESSIONS_ACCESS_TTL: {{ required "sessions.accessTtl is required (session.ttl was renamed in 3.0.0)" (dig "accessTtl" nil (.Values.sessions | default dict)) | quote }}
ORTHID_ISSUER_URL: {{ required "issuer.url is required since 3.0.0" (dig "url" nil (.Values.issuer | default dict)) | quote }}
{{- else }}
ORTHID_SESSION_TTL: {{ .Values.session.ttl | quote }}
{{- end }}
{{- if semverCompare ">=2.7.0" .Chart.AppVersion }}
{{- /* A release that reuses the values of 2.6 has no signInLog. */}}
ORTHID_SIGN_IN_LOG_RETENTION_DAYS: {{ dig "retentionDays" 30 (.Values.signInLog | default dict) | quote }}
{{- end }}
ORTHID_FAULT_NEVER_READY: {{ .Values.faults.neverReady | quote }}
ORTHID_FAULT_CRASH_AFTER_READY: {{ .Values.faults.crashAfterReadySeconds | quote }}
ORTHID_FAULT_SLOW_START: {{ .Values.faults.slowStartSeconds | quote }}
ORTHID_FAULT_DROP_ON_SIGTERM: {{ .Values.faults.dropOnSigterm | quote }}
ORTHID_FAULT_FORGET_KEYS: {{ .Values.faults.forgetKeys | quote }}
ORTHID_FAULT_MIGRATE_FAIL_HALFWAY: {{ .Values.faults.migrateFailHalfway | quote }}
ORTHID_FAULT_MIGRATE_HANG: {{ .Values.faults.migrateHang | quote }}
{{- end }}

{{- define "orthid.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
capabilities:
  drop: [ALL]
{{- end }}
