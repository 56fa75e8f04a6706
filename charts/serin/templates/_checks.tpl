{{/* What no schema can see. Each fault names its field, like those that the schema finds. */}}
{{- define "serin.checks" -}}
{{- $names := list -}}
{{- range $at, $source := .Values.config.metricSources -}}
{{- $path := printf "config.metricSources[%d]" $at -}}
{{- $name := $source.name | default "default" -}}
{{- if has $name $names -}}
{{- fail (printf "%s.name: %s is there twice" $path $name) -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- $least := addf ($source.intervalSeconds | default 15) (mulf 4 ($source.scrapeIntervalSeconds | default 15)) -}}
{{- if and $source.lookbackSeconds (lt (float64 $source.lookbackSeconds) $least) -}}
{{- fail (printf "%s.lookbackSeconds: must be at least interval + 4 scrape intervals = %v" $path $least) -}}
{{- end -}}
{{- if and $source.tenant (not (has ($source.kind | default "prometheus") (list "thanos" "mimir"))) -}}
{{- fail (printf "%s.tenant: only thanos and mimir take one; put it into url or headers" $path) -}}
{{- end -}}
{{- end -}}
{{- $election := .Values.config.leaderElection | default dict -}}
{{- if and (hasKey $election "enabled") (not $election.enabled) (gt (int .Values.replicas) 1) -}}
{{- fail "config.leaderElection.enabled: without it there may be one replica only; set replicas to 1" -}}
{{- end -}}
{{- if and (eq (toString .Values.metrics.serviceMonitor.enabled) "true") (not .Values.metrics.service.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled: it needs metrics.service.enabled" -}}
{{- end -}}
{{- end -}}
