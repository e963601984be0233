//go:build !estore_debug

package capi

func beforeCall() {}
