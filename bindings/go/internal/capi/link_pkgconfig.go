//go:build !estore_dev && !estore_static

package capi

// #cgo pkg-config: estore
import "C"
