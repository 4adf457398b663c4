//go:build tools

// Package helm pins what a cluster for development is built from: nothing here is compiled into zopp.
package helm

import (
	_ "helm.sh/helm/v4/cmd/helm"
)
