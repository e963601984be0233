//go:build estore_dev && !estore_static

package capi

// What `make lib` built in the repository that this package is a part of.

// #cgo CFLAGS: -I${SRCDIR}/../../../../include
// #cgo LDFLAGS: -L${SRCDIR}/../../../../target/release -lestore -Wl,-rpath,${SRCDIR}/../../../../target/release
import "C"
