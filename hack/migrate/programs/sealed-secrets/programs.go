//go:build tools

// Package sealedsecrets pins what the tests of migrating seal Secrets with: nothing here is compiled into zopp.
package sealedsecrets

import (
	_ "github.com/bitnami-labs/sealed-secrets/cmd/controller"
	_ "github.com/bitnami-labs/sealed-secrets/cmd/kubeseal"
)
