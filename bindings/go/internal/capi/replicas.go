package capi

// #include "bridge.h"
import "C"

import (
	"bytes"
	"context"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// Bucket is what a digest tells of a stretch of time, with the layout of the three numbers that cross.
type Bucket struct{ Count, SumLow, SumHigh uint64 }

func numbers(buckets []Bucket) *C.uint64_t {
	return (*C.uint64_t)(unsafe.Pointer(unsafe.SliceData(buckets)))
}

// Digest is estore_digest, into buckets that have room for all. It answers with the horizon.
func (l Log) Digest(start, end, width uint64, buckets []Bucket) (uint64, *Failure) {
	var a answer
	status := C.estore_go_digest(l.c, C.uint64_t(start), C.uint64_t(end), C.uint64_t(width), numbers(buckets), C.size_t(len(buckets)), &a.c)
	return uint64(a.c.out[1]), a.failure(status)
}

// Differences is estore_digest_differences, of as many buckets each: pairs of first and last time.
func Differences(start, end, width uint64, one []Bucket, oneHorizon uint64, other []Bucket, otherHorizon uint64) ([]uint64, *Failure) {
	var a answer
	bounds := make([]uint64, 2*len(one))
	status := C.estore_go_digest_differences(C.uint64_t(start), C.uint64_t(end), C.uint64_t(width), numbers(one), C.uint64_t(oneHorizon),
		numbers(other), C.uint64_t(otherHorizon), C.size_t(len(one)), (*C.uint64_t)(unsafe.Pointer(unsafe.SliceData(bounds))), &a.c)
	if f := a.failure(status); f != nil {
		return nil, f
	}
	return bounds[:2*a.c.out[0]], nil
}

// What a repair did, as numbers.
type values [RepairedCount]C.uint64_t

func (v *values) first() *C.uint64_t { return &v[0] }

func (v *values) all() (n [RepairedCount]uint64) {
	for i := range n {
		n[i] = uint64(v[i])
	}
	return n
}

// Receives what a repair tells.
type repair struct {
	work
	missingList
}

// Repair is estore_repair. It stops when ctx is cancelled. What tell panics with stops it too, and goes on here.
func (l Log) Repair(ctx context.Context, from Log, start, end uint64, flags uint32, tell func(done, events uint64)) ([RepairedCount]uint64, []Missing, *Failure) {
	var a answer
	var v values
	r := &repair{work: work{ctx: ctx, tell: tell}}
	handle := cgo.NewHandle(r)
	defer handle.Delete()
	status := C.estore_go_repair(l.c, from.c, C.uint64_t(start), C.uint64_t(end), C.uint32_t(flags), C.uintptr_t(handle), v.first(), &a.c)
	if r.panicked != nil {
		panic(r.panicked)
	}
	return v.all(), r.missingList, a.failure(status)
}

// Takes bytes of the library into Go's memory, and frees them.
func taken(message *C.estore_bytes) []byte {
	var data *C.uint8_t
	var n C.size_t
	defer C.estore_bytes_free(&message)
	if status := C.estore_bytes_view(message, &data, &n, nil); status != OK || n == 0 {
		return []byte{}
	}
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(data)), int(n)))
}

func start(data []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(data)) }

// Exchange is an estore_exchange.
type Exchange struct{ c *C.estore_exchange }

// Exchange is estore_exchange_begin. End the exchange with End.
func (l Log) Exchange(start, end uint64, flags uint32) (Exchange, *Failure) {
	var a answer
	var e Exchange
	status := C.estore_go_exchange_begin(l.c, C.uint64_t(start), C.uint64_t(end), C.uint32_t(flags), &e.c, &a.c)
	return e, a.failure(status)
}

// Request is estore_exchange_request; nil once all is done.
func (e Exchange) Request() ([]byte, *Failure) {
	var a answer
	var message *C.estore_bytes
	status := C.estore_exchange_request(e.c, &message, &a.c.err)
	if status != OK {
		return nil, a.failure(status)
	}
	return taken(message), nil
}

// Reply is estore_exchange_reply.
func (e Exchange) Reply(reply []byte) *Failure {
	var a answer
	status := C.estore_exchange_reply(e.c, (*C.uint8_t)(start(reply)), C.size_t(len(reply)), &a.c.err)
	runtime.KeepAlive(reply)
	return a.failure(status)
}

// Repaired is estore_exchange_repaired.
func (e Exchange) Repaired() ([RepairedCount]uint64, []Missing, *Failure) {
	var a answer
	var v values
	var gaps missingList
	handle := cgo.NewHandle(&gaps)
	defer handle.Delete()
	status := C.estore_go_exchange_repaired(e.c, C.uintptr_t(handle), v.first(), &a.c)
	return v.all(), gaps, a.failure(status)
}

// End closes the exchange. Nobody may use it then or later.
func (e Exchange) End() { C.estore_exchange_close(&e.c, nil) }

// Answer is estore_answer.
func (l Log) Answer(message []byte) ([]byte, *Failure) {
	var a answer
	var reply *C.estore_bytes
	status := C.estore_go_answer_message(l.c, start(message), C.size_t(len(message)), &reply, &a.c)
	runtime.KeepAlive(message)
	if f := a.failure(status); f != nil {
		return nil, f
	}
	return taken(reply), nil
}

// Export is an estore_export.
type Export struct{ c *C.estore_export }

// Export is estore_export_begin. End the export with End.
func (l Log) Export(start, end uint64, flags uint32, limit uint64) (Export, *Failure) {
	var a answer
	var x Export
	status := C.estore_go_export_begin(l.c, C.uint64_t(start), C.uint64_t(end), C.uint32_t(flags), C.uint64_t(limit), &x.c, &a.c)
	return x, a.failure(status)
}

// Next is estore_export_next; nil at the end.
func (x Export) Next(maxBytes uint) ([]byte, *Failure) {
	var a answer
	var parcel *C.estore_bytes
	status := C.estore_export_next(x.c, C.size_t(maxBytes), &parcel, &a.c.err)
	if status != OK {
		return nil, a.failure(status)
	}
	return taken(parcel), nil
}

// SnapshotSeq is estore_export_snapshot_seq.
func (x Export) SnapshotSeq() (uint64, *Failure) {
	var a answer
	status := C.estore_export_snapshot_seq(x.c, &a.c.out[0], &a.c.err)
	return uint64(a.c.out[0]), a.failure(status)
}

// Gaps is estore_export_gaps.
func (x Export) Gaps() ([]Missing, *Failure) {
	var a answer
	var gaps missingList
	handle := cgo.NewHandle(&gaps)
	defer handle.Delete()
	status := C.estore_go_export_gaps(x.c, C.uintptr_t(handle), &a.c)
	return gaps, a.failure(status)
}

// End closes the export. Nobody may use it then or later.
func (x Export) End() { C.estore_export_close(&x.c, nil) }

// Import is estore_import; it answers with the last seq and the numbers stored, present and expired.
func (l Log) Import(parcel []byte) ([4]uint64, *Failure) {
	var a answer
	status := C.estore_go_import(l.c, start(parcel), C.size_t(len(parcel)), &a.c)
	runtime.KeepAlive(parcel)
	out := a.c.out
	return [4]uint64{uint64(out[0]), uint64(out[1]), uint64(out[2]), uint64(out[3])}, a.failure(status)
}
