//go:build tools

// Package programs pins what Argo CD is built from: nothing here is compiled into zopp.
package programs

import _ "github.com/argoproj/argo-cd/v3/cmd"
