// Package monitoring keeps the types among the module's requirements; nothing is built of it.
package monitoring

import _ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
