//go:build tools

// Package sops pins what the tests of migrating open files with: nothing here is compiled into zopp.
package sops

import (
	_ "github.com/getsops/sops/v3/cmd/sops"
)
