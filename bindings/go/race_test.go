//go:build race

package estore_test

const raceDetector = true
