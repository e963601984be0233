//go:build estore_debug

package estore_test

const debugBuild = true
