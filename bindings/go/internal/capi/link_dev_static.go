//go:build estore_dev && estore_static

package capi

// #cgo CFLAGS: -I${SRCDIR}/../../../../include
// #cgo LDFLAGS: ${SRCDIR}/../../../../target/dist/libestore.a -lgcc_s -lutil -lrt -lpthread -lm -ldl
import "C"
