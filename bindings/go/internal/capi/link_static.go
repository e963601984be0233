//go:build !estore_dev && estore_static

package capi

// The archive comes first, so nothing is left for the shared library that pkg-config names as well, and it isn't linked.

// #cgo pkg-config: --static estore
// #cgo LDFLAGS: -l:libestore.a -Wl,--as-needed
import "C"
