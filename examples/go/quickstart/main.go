// Readings of a thermometer: appended out of order, sent twice, read in order. Go calls the C functions through cgo.
//
// Run it in this folder, after `make lib`:
//
//	export CGO_CFLAGS="-I$PWD/../../../include" CGO_LDFLAGS="-L$PWD/../../../target/release"
//	LD_LIBRARY_PATH="$PWD/../../../target/release" go run . [folder]
//
// The folder must not exist yet; it is `thermometer` unless you say otherwise.
package main

/*
#cgo LDFLAGS: -lestore
#include <estore.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"log"
	"os"
	"unsafe"
)

const second = 1_000_000_000

// A C error as a Go error. Statuses that are not negative are answers, such as ESTORE_END.
func check(status C.estore_status, err *C.estore_error) error {
	if status >= 0 {
		return nil
	}
	if err == nil || err.message[0] == 0 {
		return errors.New(C.GoString(C.estore_strerror(status)))
	}
	return errors.New(C.GoString(&err.message[0]))
}

// A batch keeps its data in C memory: what C is given must not hold pointers to Go's.
type batch []C.estore_event

func (b *batch) add(time uint64, id uint32, data string) {
	*b = append(*b, C.estore_event{
		time: C.uint64_t(time),
		data: (*C.uint8_t)(C.CBytes([]byte(data))),
		len:  C.uint32_t(len(data)),
		id:   C.uint32_t(id),
	})
}

func (b batch) free() {
	for _, event := range b {
		C.free(unsafe.Pointer(event.data))
	}
}

func print(store *C.estore, start uint64, flags C.uint32_t, limit uint64) error {
	var err C.estore_error
	var iter *C.estore_iter
	status := C.estore_read_iter(store, C.uint64_t(start), C.UINT64_MAX, flags, C.uint64_t(limit), &iter, &err)
	if status != C.ESTORE_OK {
		return check(status, &err)
	}
	defer C.estore_iter_close(&iter, nil)
	// One call into C brings many events. Their data belongs to the iterator until the next call.
	var events [256]C.estore_event
	var n C.size_t
	for {
		status := C.estore_iter_next_batch(iter, &events[0], C.size_t(len(events)), &n, &err)
		if status != C.ESTORE_OK {
			return check(status, &err)
		}
		for _, event := range events[:n] {
			fmt.Printf("  %d s: %s\n", event.time/second, C.GoBytes(unsafe.Pointer(event.data), C.int(event.len)))
		}
	}
}

func run(folder string) (result error) {
	var err C.estore_error

	// One file set for each hour of time. Both settings are optional.
	options := C.estore_options_new()
	defer C.estore_options_free(&options)
	if e := check(C.estore_options_set_mode(options, C.ESTORE_MODE_CREATE_NEW), nil); e != nil {
		return e
	}
	if e := check(C.estore_options_set_file_size_ns(options, 3600*second), nil); e != nil {
		return e
	}
	path := C.CString(folder)
	defer C.free(unsafe.Pointer(path))
	var store *C.estore
	if e := check(C.estore_open(path, C.size_t(len(folder)), options, &store, &err), &err); e != nil {
		return e
	}
	defer func() {
		if e := check(C.estore_close(&store, &err), &err); result == nil {
			result = e
		}
	}()

	// A batch is in any order of times. Times are nanoseconds; the id tells apart events of equal time and data.
	const noon = 1_700_049_600 * second
	var readings batch
	defer func() { readings.free() }()
	readings.add(noon+2*second, 7, "21.5")
	readings.add(noon, 7, "21.3")
	readings.add(noon+second, 7, "21.4")
	if e := check(C.estore_append(store, &readings[0], C.size_t(len(readings)), nil, &err), &err); e != nil {
		return e
	}

	// This one comes an hour late. Readers find it in its place, like any other.
	var late batch
	defer func() { late.free() }()
	late.add(noon-3600*second, 7, "19.0")
	if e := check(C.estore_append(store, &late[0], 1, nil, &err), &err); e != nil {
		return e
	}

	// The sender is not sure that the batch arrived and sends it again.
	var stored, present C.uint64_t
	status := C.estore_append_absent(store, &readings[0], C.size_t(len(readings)), nil, &stored, &present, nil, &err)
	if e := check(status, &err); e != nil {
		return e
	}
	fmt.Printf("sent again: %d stored, %d there already\n", stored, present)

	fmt.Println("from noon on:")
	if e := print(store, noon, C.ESTORE_READ_FORWARD, 0); e != nil {
		return e
	}

	fmt.Println("the last two, newest first:")
	if e := print(store, 0, C.ESTORE_READ_REVERSE, 2); e != nil {
		return e
	}

	var count C.uint64_t
	if e := check(C.estore_count(store, 0, C.UINT64_MAX, &count, &err), &err); e != nil {
		return e
	}
	fmt.Printf("%d events in all\n", count)
	return nil
}

func main() {
	folder := "thermometer"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := run(folder); err != nil {
		log.Fatal(err)
	}
}
