//go:build tools

// Package kubeconform pins what the chart is tested with: nothing here is compiled into zopp.
package kubeconform

import (
	_ "github.com/yannh/kubeconform/cmd/kubeconform"
)
