//go:build tools

// Package programs pins what Flux's kustomize-controller is built from:
// nothing here is compiled into zopp.
package programs

import _ "github.com/fluxcd/kustomize-controller"
