// Package capi is all of cgo that the binding has: the calls of estore.h, in Go's types.
//
// What crosses, and who keeps it alive:
//
//	append   the events as an array in Go memory, whose data pointers are plain numbers (RawEvent). What they point to is pinned: one
//	         buffer into which short data was copied, and the caller's own memory for long data.
//	read     a cursor in C memory: the iterator, the array of events that it fills, and its error. The data of the events is the
//	         library's until the next call.
//	errors   an estore_go_answer in Go memory, which holds no pointers.
//
// Nothing that the library keeps points into Go memory: callbacks get a cgo.Handle.
//
// A function whose pointers are said not to escape (noescape) may get some into the stack of a goroutine, which must not move while the
// library has them. It would move if a callback into Go made it grow. So only functions that never call back carry the directives, and
// those that do when a logger is set come twice.
package capi

/*
#include "bridge.h"
#include <stdlib.h>

#cgo noescape estore_go_append
#cgo nocallback estore_go_append
#cgo noescape estore_go_next
#cgo nocallback estore_go_next
#cgo noescape estore_go_last_seq
#cgo nocallback estore_go_last_seq
#cgo noescape estore_go_durable_seq
#cgo nocallback estore_go_durable_seq
#cgo noescape estore_go_snapshot_seq
#cgo nocallback estore_go_snapshot_seq
#cgo noescape estore_duration_parse
#cgo nocallback estore_duration_parse
#cgo nocallback estore_strerror
#cgo nocallback estore_stat_name
#cgo nocallback estore_version
#cgo nocallback estore_version_number
*/
import "C"

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// The constants of estore.h.
const (
	OK      = C.ESTORE_OK
	End     = C.ESTORE_END
	Timeout = C.ESTORE_TIMEOUT
	Gap     = C.ESTORE_GAP

	Invalid        = C.ESTORE_ERR_INVALID
	IO             = C.ESTORE_ERR_IO
	Corrupt        = C.ESTORE_ERR_CORRUPT
	NotFound       = C.ESTORE_ERR_NOT_FOUND
	Exists         = C.ESTORE_ERR_EXISTS
	Locked         = C.ESTORE_ERR_LOCKED
	ReadOnly       = C.ESTORE_ERR_READ_ONLY
	NoSpace        = C.ESTORE_ERR_NO_SPACE
	Poisoned       = C.ESTORE_ERR_POISONED
	OutcomeUnknown = C.ESTORE_ERR_OUTCOME_UNKNOWN
	TooLarge       = C.ESTORE_ERR_TOO_LARGE
	Settings       = C.ESTORE_ERR_SETTINGS
	NewerFormat    = C.ESTORE_ERR_NEWER_FORMAT
	ForeignFiles   = C.ESTORE_ERR_FOREIGN_FILES
	NotAFolder     = C.ESTORE_ERR_NOT_A_FOLDER
	TooManyChunks  = C.ESTORE_ERR_TOO_MANY_CHUNKS
	Closed         = C.ESTORE_ERR_CLOSED
	Forked         = C.ESTORE_ERR_FORKED
	Panic          = C.ESTORE_ERR_PANIC
	Gone           = C.ESTORE_ERR_GONE
	NotAStore      = C.ESTORE_ERR_NOT_A_STORE
	Permission     = C.ESTORE_ERR_PERMISSION
	Range          = C.ESTORE_ERR_RANGE
	MissingFeature = C.ESTORE_ERR_MISSING_FEATURE

	ModeCreateNew = C.ESTORE_MODE_CREATE_NEW
	ModeExisting  = C.ESTORE_MODE_EXISTING
	ModeReadOnly  = C.ESTORE_MODE_READ_ONLY

	DurabilityBuffered = C.ESTORE_DURABILITY_BUFFERED
	DurabilityProcess  = C.ESTORE_DURABILITY_PROCESS
	DurabilityInterval = C.ESTORE_DURABILITY_INTERVAL
	DurabilityPower    = C.ESTORE_DURABILITY_POWER

	CompressionNone = C.ESTORE_COMPRESSION_NONE
	CompressionLZ4  = C.ESTORE_COMPRESSION_LZ4

	LogError   = C.ESTORE_LOG_ERROR
	LogWarning = C.ESTORE_LOG_WARNING
	LogInfo    = C.ESTORE_LOG_INFO

	FindingDamage  = C.ESTORE_FINDING_DAMAGE
	FindingDerived = C.ESTORE_FINDING_DERIVED
	FindingAside   = C.ESTORE_FINDING_ASIDE

	ReadReverse = C.ESTORE_READ_REVERSE
	ReadLast    = C.ESTORE_READ_LAST
	ReadSalvage = C.ESTORE_READ_SALVAGE

	RepairOneWay   = C.ESTORE_REPAIR_ONE_WAY
	RepairBothWays = C.ESTORE_REPAIR_BOTH_WAYS

	RepairedToCompared   = C.ESTORE_REPAIRED_TO_COMPARED
	RepairedToCopied     = C.ESTORE_REPAIRED_TO_COPIED
	RepairedToSkipped    = C.ESTORE_REPAIRED_TO_SKIPPED
	RepairedToExpired    = C.ESTORE_REPAIRED_TO_EXPIRED
	RepairedFromCompared = C.ESTORE_REPAIRED_FROM_COMPARED
	RepairedFromCopied   = C.ESTORE_REPAIRED_FROM_COPIED
	RepairedFromSkipped  = C.ESTORE_REPAIRED_FROM_SKIPPED
	RepairedFromExpired  = C.ESTORE_REPAIRED_FROM_EXPIRED
	RepairedGaps         = C.ESTORE_REPAIRED_GAPS
	RepairedOwnGaps      = C.ESTORE_REPAIRED_OWN_GAPS
	RepairedStopped      = C.ESTORE_REPAIRED_STOPPED
	RepairedCount        = C.ESTORE_REPAIRED_COUNT

	StatFileSize       = C.ESTORE_STAT_FILE_SIZE_NS
	StatGrace          = C.ESTORE_STAT_GRACE_NS
	StatChunks         = C.ESTORE_STAT_CHUNKS
	StatEvents         = C.ESTORE_STAT_EVENTS
	StatLateEvents     = C.ESTORE_STAT_LATE_EVENTS
	StatReconEvents    = C.ESTORE_STAT_RECON_EVENTS
	StatOldest         = C.ESTORE_STAT_OLDEST
	StatNewest         = C.ESTORE_STAT_NEWEST
	StatHorizon        = C.ESTORE_STAT_HORIZON
	StatLastSeq        = C.ESTORE_STAT_LAST_SEQ
	StatDurableSeq     = C.ESTORE_STAT_DURABLE_SEQ
	StatLogBytes       = C.ESTORE_STAT_LOG_BYTES
	StatReconBytes     = C.ESTORE_STAT_RECON_BYTES
	StatIndexBytes     = C.ESTORE_STAT_INDEX_BYTES
	StatJournalBytes   = C.ESTORE_STAT_JOURNAL_BYTES
	StatOpenLogs       = C.ESTORE_STAT_OPEN_LOGS
	StatExpired        = C.ESTORE_STAT_EXPIRED
	StatPresent        = C.ESTORE_STAT_PRESENT
	StatRecovered      = C.ESTORE_STAT_RECOVERED_EVENTS
	StatCutBytes       = C.ESTORE_STAT_CUT_BYTES
	StatDamagedRegions = C.ESTORE_STAT_DAMAGED_REGIONS
	StatBacklogBytes   = C.ESTORE_STAT_BACKLOG_BYTES
	StatChunkBytes     = C.ESTORE_STAT_CHUNK_BYTES
	StatRemovedChunks  = C.ESTORE_STAT_REMOVED_CHUNKS
	StatCount          = C.ESTORE_STAT_COUNT
)

// Failure is an estore_error.
type Failure struct {
	Status  int
	Errno   int
	Offset  uint64
	HasPos  bool
	Message string
}

// Refuse is a failure that the binding finds by itself.
func Refuse(status int, message string) *Failure { return &Failure{Status: status, Message: message} }

func (a *answer) failure(status C.estore_status) *Failure {
	if status >= 0 {
		return nil
	}
	return failure(status, &a.c.err)
}

func failure(status C.estore_status, err *C.estore_error) *Failure {
	f := &Failure{Status: int(status), Message: StatusText(int(status))}
	if err.status == status {
		f.Errno = int(err.os_errno)
		f.Offset, f.HasPos = uint64(err.offset), uint64(err.offset) != uint64(C.ESTORE_NO_OFFSET)
		if message := C.GoString(&err.message[0]); message != "" {
			f.Message = message
		}
	}
	return f
}

// StatusText is estore_strerror.
func StatusText(status int) string { return C.GoString(C.estore_strerror(C.estore_status(status))) }

// Version is the version of the library, as a text and as a number.
func Version() (string, uint32) {
	return C.GoString(C.estore_version()), uint32(C.estore_version_number())
}

// HeaderVersion is the version of the header that this was compiled with.
func HeaderVersion() (string, uint32) {
	return fmt.Sprintf("%d.%d.%d", C.ESTORE_VERSION_MAJOR, C.ESTORE_VERSION_MINOR, C.ESTORE_VERSION_PATCH), C.ESTORE_VERSION_NUMBER
}

// Soname is the name that the library should have, and the one that it gives itself: empty if it is a static one.
func Soname() (want, got string) {
	if name := C.estore_go_soname(); name != nil {
		got = C.GoString(name)
	}
	return C.ESTORE_GO_SONAME, got
}

// ParseDuration is estore_duration_parse.
func ParseDuration(duration string) (uint64, *Failure) {
	var a answer
	var ns C.uint64_t
	start, length := pathOf(duration)
	status := C.estore_duration_parse(start, length, &ns, &a.c.err)
	return uint64(ns), a.failure(status)
}

// What a call tells; see estore_go_answer.
type answer struct{ c C.estore_go_answer }

// The bytes of a string where they are. Passed straight to a call, which keeps them alive.
func pathOf(path string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(path))), C.size_t(len(path))
}

// Options is an estore_options.
type Options struct{ c *C.estore_options }

// NewOptions makes options. End them with Free.
func NewOptions() *Options { return &Options{C.estore_options_new()} }

// Free ends the options.
func (o *Options) Free() { C.estore_options_free(&o.c) }

// The setters answer with a status.

// SetMode is estore_options_set_mode.
func (o *Options) SetMode(mode int) int { return int(C.estore_options_set_mode(o.c, C.int32_t(mode))) }

// SetDurability is estore_options_set_durability.
func (o *Options) SetDurability(durability int, interval uint64) int {
	return int(C.estore_options_set_durability(o.c, C.int32_t(durability), C.uint64_t(interval)))
}

// SetFileSize is estore_options_set_file_size_ns.
func (o *Options) SetFileSize(ns uint64) int {
	return int(C.estore_options_set_file_size_ns(o.c, C.uint64_t(ns)))
}

// SetGrace is estore_options_set_grace_ns.
func (o *Options) SetGrace(ns uint64) int {
	return int(C.estore_options_set_grace_ns(o.c, C.uint64_t(ns)))
}

// SetMaxEventLen is estore_options_set_max_event_len.
func (o *Options) SetMaxEventLen(n uint32) int {
	return int(C.estore_options_set_max_event_len(o.c, C.uint32_t(n)))
}

// SetMaxNewChunks is estore_options_set_max_new_chunks.
func (o *Options) SetMaxNewChunks(n uint) int {
	return int(C.estore_options_set_max_new_chunks(o.c, C.size_t(n)))
}

// SetMaxOpenLogs is estore_options_set_max_open_logs.
func (o *Options) SetMaxOpenLogs(n uint) int {
	return int(C.estore_options_set_max_open_logs(o.c, C.size_t(n)))
}

// SetBuffer is estore_options_set_buffer.
func (o *Options) SetBuffer(bytes uint, ns uint64) int {
	return int(C.estore_options_set_buffer(o.c, C.size_t(bytes), C.uint64_t(ns)))
}

// SetNoIndex is estore_options_set_no_index.
func (o *Options) SetNoIndex() int { return int(C.estore_options_set_no_index(o.c, 1)) }

// SetNoBackground is estore_options_set_background.
func (o *Options) SetNoBackground() int { return int(C.estore_options_set_background(o.c, 0)) }

// SetNoCompaction is estore_options_set_compaction.
func (o *Options) SetNoCompaction() int { return int(C.estore_options_set_compaction(o.c, 0)) }

// SetCompression is estore_options_set_compression.
func (o *Options) SetCompression(compression int) int {
	return int(C.estore_options_set_compression(o.c, C.int32_t(compression), nil))
}

// SetMaxAge is estore_options_set_max_age_ns.
func (o *Options) SetMaxAge(ns uint64) int {
	return int(C.estore_options_set_max_age_ns(o.c, C.uint64_t(ns)))
}

// SetMaxBytes is estore_options_set_max_bytes.
func (o *Options) SetMaxBytes(bytes uint64) int {
	return int(C.estore_options_set_max_bytes(o.c, C.uint64_t(bytes)))
}

// SetLog is estore_options_set_log. The handle is of a LogFunc and must live until every store and iterator is closed.
func (o *Options) SetLog(handle cgo.Handle) int {
	return int(C.estore_go_set_log(o.c, C.uintptr_t(handle)))
}

// Log is an open store or efile. The zero Log is none.
type Log struct {
	c C.estore_go_log
	// Whether it has a logger, so that calls may come back.
	logging bool
}

// Open opens a store or an efile.
func Open(path string, options *Options, efile, logging bool) (Log, *Failure) {
	var a answer
	log := Log{logging: logging}
	start, length := pathOf(path)
	status := C.estore_go_open(start, length, options.c, isFile(efile), &log.c, &a.c)
	runtime.KeepAlive(path)
	return log, a.failure(status)
}

// Destroy removes a store or an efile.
func Destroy(path string, options *Options, efile bool) *Failure {
	var a answer
	start, length := pathOf(path)
	status := C.estore_go_destroy(start, length, options.c, isFile(efile), &a.c)
	runtime.KeepAlive(path)
	return a.failure(status)
}

func isFile(efile bool) C.int {
	if efile {
		return 1
	}
	return 0
}

// Close closes the store. Nobody may use it then or later.
func (l Log) Close() *Failure {
	var a answer
	return a.failure(C.estore_go_close(l.c, &a.c))
}

// Event has the fields of the public Event, so that a slice of one is a slice of the other.
type Event struct {
	Time uint64
	Seq  uint64
	ID   uint32
	Data []byte
}

// RawEvent has the layout of estore_event, with its pointer as a number: Go neither scans it nor checks it. So what is appended must be
// pinned, and what was read belongs to the library, unless Copy made the number an offset.
type RawEvent struct {
	Time uint64
	Seq  uint64
	data uintptr
	len  uint32
	ID   uint32
}

// Does not compile if a layout differs.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(C.estore_event{})-unsafe.Sizeof(RawEvent{})]
	_ = [1]struct{}{}[unsafe.Offsetof(C.estore_event{}.data)-unsafe.Offsetof(RawEvent{}.data)]
	_ = [1]struct{}{}[unsafe.Offsetof(C.estore_event{}.len)-unsafe.Offsetof(RawEvent{}.len)]
	_ = [1]struct{}{}[unsafe.Offsetof(C.estore_event{}.id)-unsafe.Offsetof(RawEvent{}.ID)]
)

// Data up to this length is copied into one buffer, which costs less than pinning each; longer data is pinned and not copied.
const copiedLen = 1024

// What an append needs, used again by later ones.
type batch struct {
	answer answer
	events []RawEvent
	data   []byte
	pinner runtime.Pinner
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// More than this is not kept for later appends.
const (
	keptEvents = 1 << 14
	keptData   = 1 << 20
)

func (b *batch) fill(events []Event) *Failure {
	total := 0
	for i := range events {
		n := len(events[i].Data)
		if uint64(n) > math.MaxUint32 {
			return Refuse(TooLarge, fmt.Sprintf("event %d of the batch has %d bytes, more than any store takes", i, n))
		}
		if n <= copiedLen {
			total += n
		}
	}
	if cap(b.data) < total {
		b.data = make([]byte, 0, total)
	}
	if cap(b.events) < len(events) {
		b.events = make([]RawEvent, len(events))
	}
	data, raw := b.data[:0], b.events[:len(events)]
	var start uintptr
	if total > 0 {
		first := unsafe.SliceData(b.data)
		b.pinner.Pin(first)
		start = uintptr(unsafe.Pointer(first))
	}
	for i := range events {
		e := &events[i]
		r := &raw[i]
		r.Time, r.ID, r.len = e.Time, e.ID, uint32(len(e.Data))
		if len(e.Data) <= copiedLen {
			r.data = start + uintptr(len(data))
			data = append(data, e.Data...)
		} else {
			first := unsafe.SliceData(e.Data)
			b.pinner.Pin(first)
			r.data = uintptr(unsafe.Pointer(first))
		}
	}
	b.events = raw
	return nil
}

func (b *batch) done() {
	b.pinner.Unpin()
	if cap(b.events) <= keptEvents && cap(b.data) <= keptData {
		batches.Put(b)
	}
}

func (b *batch) pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b.events)) }

// Append is estore_append; it answers with the last seq.
func (l Log) Append(events []Event) (uint64, *Failure) {
	b := batches.Get().(*batch)
	defer b.done()
	if f := b.fill(events); f != nil {
		return 0, f
	}
	beforeCall()
	var status C.estore_status
	if l.logging {
		status = C.estore_go_append_logging(l.c, b.pointer(), C.size_t(len(b.events)), &b.answer.c)
	} else {
		status = C.estore_go_append(l.c, b.pointer(), C.size_t(len(b.events)), &b.answer.c)
	}
	return uint64(b.answer.c.out[0]), b.answer.failure(status)
}

// AppendAbsent is estore_append_absent; it answers with the last seq and the numbers stored, present and expired.
func (l Log) AppendAbsent(events []Event) ([4]uint64, *Failure) {
	b := batches.Get().(*batch)
	defer b.done()
	if f := b.fill(events); f != nil {
		return [4]uint64{}, f
	}
	beforeCall()
	status := C.estore_go_append_absent(l.c, b.pointer(), C.size_t(len(b.events)), &b.answer.c)
	out := b.answer.c.out
	return [4]uint64{uint64(out[0]), uint64(out[1]), uint64(out[2]), uint64(out[3])}, b.answer.failure(status)
}

// Sync is estore_sync; it answers with the durable seq.
func (l Log) Sync() (uint64, *Failure) {
	var a answer
	status := C.estore_go_sync(l.c, &a.c)
	return uint64(a.c.out[0]), a.failure(status)
}

// Tick is estore_tick.
func (l Log) Tick() *Failure {
	var a answer
	return a.failure(C.estore_go_tick(l.c, &a.c))
}

// LastSeq is estore_last_seq.
func (l Log) LastSeq() (uint64, *Failure) {
	var a answer
	status := C.estore_go_last_seq(l.c, &a.c)
	return uint64(a.c.out[0]), a.failure(status)
}

// DurableSeq is estore_durable_seq.
func (l Log) DurableSeq() (uint64, *Failure) {
	var a answer
	status := C.estore_go_durable_seq(l.c, &a.c)
	return uint64(a.c.out[0]), a.failure(status)
}

// Count is estore_count.
func (l Log) Count(start, end uint64) (uint64, *Failure) {
	var a answer
	status := C.estore_go_count(l.c, C.uint64_t(start), C.uint64_t(end), &a.c)
	return uint64(a.c.out[0]), a.failure(status)
}

// Stats is estore_stats: as many numbers as the library knows, at least StatCount.
func (l Log) Stats() ([]uint64, *Failure) {
	var a answer
	values := make([]uint64, StatCount+64)
	status := C.estore_go_stats(l.c, (*C.uint64_t)(&values[0]), C.size_t(len(values)), &a.c)
	if f := a.failure(status); f != nil {
		return nil, f
	}
	return values[:min(len(values), max(StatCount, int(a.c.out[0])))], nil
}

// StatName is estore_stat_name; empty for a number that the library does not know.
func StatName(index int) string {
	name := C.estore_stat_name(C.size_t(index))
	if name == nil {
		return ""
	}
	return C.GoString(name)
}

// Splits is estore_splits: pairs of first and last time.
func (l Log) Splits(start, end uint64) ([]uint64, *Failure) {
	bounds := make([]uint64, 2*64)
	for {
		var a answer
		room := len(bounds) / 2
		status := C.estore_go_splits(l.c, C.uint64_t(start), C.uint64_t(end), (*C.uint64_t)(&bounds[0]), C.size_t(room), &a.c)
		if f := a.failure(status); f != nil {
			return nil, f
		}
		pieces := uint64(a.c.out[0])
		if pieces <= uint64(room) {
			return bounds[:2*pieces], nil
		}
		if pieces > 1<<24 {
			return nil, Refuse(Range, fmt.Sprintf("the range has %d pieces: ask for a part of it", pieces))
		}
		bounds = make([]uint64, 2*pieces)
	}
}

// Retain is estore_retain: horizon, chunks, events, bytes.
func (l Log) Retain(maxAge, maxBytes uint64, dryRun bool) (out [4]uint64, f *Failure) {
	var a answer
	dry := C.int32_t(0)
	if dryRun {
		dry = 1
	}
	f = a.failure(C.estore_go_retain(l.c, C.uint64_t(maxAge), C.uint64_t(maxBytes), dry, &a.c))
	for i := range out {
		out[i] = uint64(a.c.out[i])
	}
	return out, f
}

// DeleteBefore is estore_delete_before.
func (l Log) DeleteBefore(time uint64) *Failure {
	var a answer
	return a.failure(C.estore_go_delete_before(l.c, C.uint64_t(time), &a.c))
}

// Finding is what estore_finding_fn receives.
type Finding struct {
	Kind   int
	Path   string
	Offset uint64
	Len    uint64
	What   string
}

type walk struct {
	ctx      context.Context
	findings []Finding
}

// Verify is estore_verify. It ends at the first finding after ctx was cancelled.
func (l Log) Verify(ctx context.Context) (findings []Finding, events, damaged uint64, f *Failure) {
	var a answer
	walk := &walk{ctx: ctx}
	handle := cgo.NewHandle(walk)
	defer handle.Delete()
	status := C.estore_go_verify(l.c, C.uintptr_t(handle), &a.c)
	return walk.findings, uint64(a.c.out[0]), uint64(a.c.out[1]), a.failure(status)
}

type work struct {
	ctx      context.Context
	tell     func(done, events uint64)
	stopped  bool
	panicked any
}

// Compact is estore_compact. It stops when ctx is cancelled. What tell panics with stops it too, and goes on here.
func (l Log) Compact(ctx context.Context, start, end uint64, tell func(done, events uint64)) (before, after uint64, stopped bool, f *Failure) {
	var a answer
	work := &work{ctx: ctx, tell: tell}
	handle := cgo.NewHandle(work)
	defer handle.Delete()
	status := C.estore_go_compact(l.c, C.uint64_t(start), C.uint64_t(end), C.uintptr_t(handle), &a.c)
	if work.panicked != nil {
		panic(work.panicked)
	}
	return uint64(a.c.out[0]), uint64(a.c.out[1]), work.stopped, a.failure(status)
}

// Snapshot is estore_snapshot, with its first four outputs. It stops when ctx is cancelled. What tell panics with stops it too, and goes on
// here.
func (l Log) Snapshot(ctx context.Context, dir string, tell func(done, events uint64)) (n [4]uint64, stopped bool, f *Failure) {
	var a answer
	work := &work{ctx: ctx, tell: tell}
	handle := cgo.NewHandle(work)
	defer handle.Delete()
	start, length := pathOf(dir)
	status := C.estore_go_snapshot(l.c, start, length, C.uintptr_t(handle), &a.c)
	runtime.KeepAlive(dir)
	if work.panicked != nil {
		panic(work.panicked)
	}
	for i := range n {
		n[i] = uint64(a.c.out[i])
	}
	return n, work.stopped, a.failure(status)
}

// Cursor is an estore_iter with its current batch.
type Cursor struct {
	c       *C.estore_go_cursor
	logging bool
}

// Read is estore_read_iter. End the cursor with End.
func (l Log) Read(start, end uint64, flags uint32, limit uint64) (Cursor, *Failure) {
	var a answer
	var status C.estore_status
	c := C.estore_go_read(l.c, C.uint64_t(start), C.uint64_t(end), C.uint32_t(flags), C.uint64_t(limit), &status, &a.c)
	return l.cursor(c, a.failure(status))
}

// Tail is estore_tail_iter. End the cursor with End.
func (l Log) Tail(after uint64) (Cursor, *Failure) {
	var a answer
	var status C.estore_status
	c := C.estore_go_tail(l.c, C.uint64_t(after), &status, &a.c)
	return l.cursor(c, a.failure(status))
}

func (l Log) cursor(c *C.estore_go_cursor, f *Failure) (Cursor, *Failure) {
	if f != nil {
		return Cursor{}, f
	}
	if c == nil {
		panic("estore: out of memory")
	}
	return Cursor{c, l.logging}, nil
}

// Next gets the next batch, of any number of events; none at the end, or if there is nothing for now. The gap of a tail is a failure. The
// events and their data are the library's, and end with the next call or with End.
func (c Cursor) Next() ([]RawEvent, *Failure) {
	beforeCall()
	var status C.estore_status
	if c.logging {
		status = C.estore_go_next_logging(c.c)
	} else {
		status = C.estore_go_next(c.c)
	}
	switch {
	case status == OK:
		return unsafe.Slice((*RawEvent)(unsafe.Pointer(&c.c.events[0])), int(c.c.n)), nil
	case status == End, status == Timeout:
		return nil, nil
	case status < 0, status == Gap:
		return nil, failure(status, &c.c.err)
	}
	return nil, Refuse(Invalid, fmt.Sprintf("the library answered %d, which this binding does not know", int(status)))
}

// Data is what the event carries, nil if nothing. Memory is what Copy answered with, or nil if it wasn't called.
func (r *RawEvent) Data(memory unsafe.Pointer) []byte {
	if r.len == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(memory, r.data)), r.len)
}

// Copy copies the data of a batch into one new piece of memory.
func Copy(events []RawEvent) unsafe.Pointer {
	total := 0
	for i := range events {
		total += int(events[i].len)
	}
	memory := make([]byte, total)
	at := 0
	for i := range events {
		r := &events[i]
		n := copy(memory[at:], r.Data(nil))
		r.data = uintptr(at)
		at += n
	}
	return unsafe.Pointer(unsafe.SliceData(memory))
}

// FD is estore_iter_fd. It is the library's.
func (c Cursor) FD() (int, *Failure) {
	var a answer
	status := C.estore_go_fd(c.c, &a.c)
	return int(a.c.out[0]), a.failure(status)
}

// SnapshotSeq is estore_iter_snapshot_seq.
func (c Cursor) SnapshotSeq() (uint64, *Failure) {
	var a answer
	status := C.estore_go_snapshot_seq(c.c, &a.c)
	return uint64(a.c.out[0]), a.failure(status)
}

// Missing is what estore_gap_fn receives.
type Missing struct {
	Path      string
	Offset    uint64
	Len       uint64
	FirstTime uint64
	LastTime  uint64
	What      string
}

// Receives the gaps of a call.
type missingList []Missing

// Gaps is estore_iter_gaps.
func (c Cursor) Gaps() ([]Missing, *Failure) {
	var a answer
	var gaps missingList
	handle := cgo.NewHandle(&gaps)
	defer handle.Delete()
	status := C.estore_go_gaps(c.c, C.uintptr_t(handle), &a.c)
	return gaps, a.failure(status)
}

// End closes the iterator and frees the cursor. Nobody may use it then or later.
func (c Cursor) End() { C.estore_go_end(c.c) }
