//go:build estore_debug

package capi

import "runtime"

// Collects garbage at the worst moments: before the library is called, and while it works. With GODEBUG=clobberfree=1, memory that
// nobody holds then is overwritten, so a pointer that was not pinned or kept alive reads nonsense.
func beforeCall() {
	runtime.GC()
	go runtime.GC()
}
