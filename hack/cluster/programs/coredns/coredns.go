//go:build tools

// Package coredns pins what a cluster for development is built from: nothing here is compiled into zopp.
package coredns

import (
	_ "github.com/coredns/coredns"
)
