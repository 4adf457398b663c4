//go:build tools

// Package promtool pins what the chart's alerts are tested with: nothing here is compiled into zopp.
package promtool

import (
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
