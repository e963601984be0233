package capi

// #include <stdint.h>
// #include <stddef.h>
import "C"

import (
	"fmt"
	"os"
	"runtime/cgo"
	"runtime/debug"
	"unsafe"
)

// LogFunc receives the messages of a store, from any thread, also from several at once.
type LogFunc func(level int, message string)

// A panic must not unwind through the library, whose locks it would leave taken. So what user code does in here ends the program, as a
// panic does that nobody recovers.
//
//export estoreGoLog
func estoreGoLog(handle C.uintptr_t, level C.int32_t, message *C.char, length C.size_t) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "panic in the logger of a store: %v\n\n%s", p, debug.Stack())
			os.Exit(2)
		}
	}()
	cgo.Handle(handle).Value().(LogFunc)(int(level), text(message, length))
}

//export estoreGoFinding
func estoreGoFinding(handle C.uintptr_t, kind C.int32_t, path *C.char, pathLen C.size_t, offset, length C.uint64_t, what *C.char, whatLen C.size_t) C.int32_t {
	walk := cgo.Handle(handle).Value().(*walk)
	if walk.ctx.Err() != nil {
		return 1
	}
	walk.findings = append(walk.findings, Finding{int(kind), text(path, pathLen), uint64(offset), uint64(length), text(what, whatLen)})
	return 0
}

//export estoreGoProgress
func estoreGoProgress(handle C.uintptr_t, done, events C.uint64_t) C.int32_t {
	if cgo.Handle(handle).Value().(interface {
		goesOn(done, events uint64) bool
	}).goesOn(uint64(done), uint64(events)) {
		return 0
	}
	return 1
}

// No panic may pass through C.
func (w *work) goesOn(done, events uint64) (more bool) {
	if w.ctx.Err() != nil {
		w.stopped = true
		return false
	}
	defer func() {
		w.panicked = recover()
		more = w.panicked == nil
	}()
	if w.tell != nil {
		w.tell(done, events)
	}
	return true
}

//export estoreGoGap
func estoreGoGap(handle C.uintptr_t, path *C.char, pathLen C.size_t, offset, length, first, last C.uint64_t, what *C.char, whatLen C.size_t) {
	missing := Missing{text(path, pathLen), uint64(offset), uint64(length), uint64(first), uint64(last), text(what, whatLen)}
	cgo.Handle(handle).Value().(interface{ add(Missing) }).add(missing)
}

func (l *missingList) add(m Missing) { *l = append(*l, m) }

func text(start *C.char, length C.size_t) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(start)), int(length)))
}
