package estore

// OpenHandles is how many stores and iterators are open.
func OpenHandles() int64 { return openHandles.Load() }

// ForgottenHandles is how many were closed by the garbage collector.
func ForgottenHandles() int64 { return forgottenHandles.Load() }
