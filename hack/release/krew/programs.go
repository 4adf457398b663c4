//go:build tools

// Package krew pins what the plugin's archive and manifest are tried with: nothing here is compiled into zopp.
package krew

import (
	_ "sigs.k8s.io/krew/cmd/krew"
	_ "sigs.k8s.io/krew/cmd/validate-krew-manifest"
)
