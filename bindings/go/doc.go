// Package estore keeps events (a time, an id, some bytes) in a folder of this machine, appended in any order and read in exact order.
// It is the Go face of the library estore, which it calls through cgo.
//
//	package main
//
//	import (
//		"context"
//		"errors"
//		"fmt"
//		"log"
//		"time"
//
//		"estore"
//	)
//
//	func main() {
//		store, err := estore.Open("events", estore.Grace(10*time.Second))
//		if errors.Is(err, estore.ErrLocked) {
//			log.Fatal("another program writes to it: ", err)
//		} else if err != nil {
//			log.Fatal(err)
//		}
//		batch := []estore.Event{
//			{Time: 3000, Data: []byte("third")},
//			{Time: 1000, Data: []byte("first")},
//			estore.New([]byte("now, with an id of its own")),
//		}
//		if _, err := store.Append(batch...); err != nil {
//			log.Fatal(err)
//		}
//		for event, err := range store.Read(context.Background(), 0, estore.MaxTime) {
//			if err != nil {
//				log.Fatal(err)
//			}
//			fmt.Printf("%d %s\n", event.Time, event.Data)
//		}
//		if err := store.Close(); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// A [Store] is followed by Tail: every event behind a cursor as it arrived, and then those that come, until a context is done.
//
// Stores that should hold the same events and have drifted apart are compared by Digest and brought together by [Store.Repair], or, where
// they are on different machines, by an [Exchange]. Parcels and Import carry events from one to another.
//
// # Words
//
// Two events with the same time, id and data are the same event. The seq is the number of an event's arrival: the store gives it, it
// rises, has gaps, and is never given twice. A [Store] is a folder of chunks, one for each [FileSize] of time; an [Efile] is the simple
// store, one chunk for all times. An event that lies more than the [Grace] behind the newest of its chunk is late, which changes how it is
// kept and never what is read.
//
// # Times
//
// Times are nanoseconds since 1970 by convention, as a uint64; any number is legal, and a range includes both of its ends. [Nanos] and
// [Event.At] convert from and to [time.Time]. What a uint64 can't hold, before 1970 or after July 2554, is refused with [ErrRange]. That
// reaches further than [time.Time.UnixNano], which overflows in 2262.
//
// # Memory
//
// What is appended is used during the call only. What is read is the caller's own copy; one batch of events shares one piece of memory,
// so keeping a few of many events for long is a case for [bytes.Clone]. With [Borrow] nothing is copied, and data ends with the next
// event.
//
// # Errors
//
// Every error of the library is an [*Error], for errors.As. For errors.Is there is a [Code] for each kind, such as [ErrCorrupt], and where
// they fit also the errors of io/fs ([fs.ErrNotExist], [fs.ErrExist], [fs.ErrPermission], [fs.ErrClosed], [fs.ErrInvalid]) and the
// [syscall.Errno] that the system gave.
//
// # Goroutines
//
// A store may be used by any number of goroutines at once. Close waits for calls that run, and lets no new ones in: they get [ErrClosed].
// An [Iter] shows one moment and goes on when its store has been closed, as does an [Export]; a [TailIter] gives what is left then, and an
// [Exchange] ends. Each may be used by several goroutines, which take turns.
// Handles that are forgotten are closed by the garbage collector at some time, but only Close tells whether all is on disk.
//
// # Building
//
// The library is found through pkg-config, as `make install` left it. With the tag estore_static the program gets the static library
// of the same place and needs no other at run time. With the tag estore_dev both come from the folder target of estore's own repository,
// after `make lib`. A library of another version of the ABI, or one older than the header that a program was built with, is refused by
// Open, with both versions named. Go's build cache takes no note of what pkg-config answers: where the library has moved since, build once
// with -a.
//
// In a folder where the system does not look, the shared library is found by a program that was built with
// CGO_LDFLAGS=-Wl,-rpath,FOLDER, or runs with LD_LIBRARY_PATH=FOLDER.
//
// The module is named estore, without a host, as it is a part of estore's repository. A program's go.mod names the folder:
//
//	require estore v0.0.0
//	replace estore => path/to/estore/bindings/go
package estore
