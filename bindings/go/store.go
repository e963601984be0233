package estore

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"estore/internal/capi"
)

// Store is a folder of chunks of events. Any number of goroutines may use it at once.
type Store struct{ common }

// Efile is the simple store: one chunk for all times, without deleting by time. Any number of goroutines may use it at once.
type Efile struct{ common }

// What stores and efiles have in common. Its methods are theirs.
type common struct{ core *core }

// The handle itself, apart from what the program holds, so that a forgotten one can be closed.
type core struct {
	log    capi.Log
	path   string
	logger *logRef
	// The number of calls that use the handle now, and closing.
	users atomic.Int64
	// Receives when the last call ended after closing had begun.
	idle chan struct{}
	// Closed once the handle is.
	gone chan struct{}
}

const closing = 1 << 62

// Open opens a store, or creates it together with the last folder of its path. After a crash it recovers every event that was promised.
// Fails with [ErrLocked] while another writer has the store open. End it with Close.
func Open(path string, options ...Option) (*Store, error) {
	s := new(Store)
	if err := s.open(path, options, false); err != nil {
		return nil, err
	}
	runtime.AddCleanup(s, (*core).forgotten, s.core)
	return s, nil
}

// OpenEfile opens an efile, or creates it, like [Open].
func OpenEfile(path string, options ...Option) (*Efile, error) {
	e := new(Efile)
	if err := e.open(path, options, true); err != nil {
		return nil, err
	}
	runtime.AddCleanup(e, (*core).forgotten, e.core)
	return e, nil
}

// Destroy removes a store from disk: its own files, and the folder if nothing else is in it. Fails with [ErrLocked] while a writer has the
// store open.
func Destroy(path string) error { return destroy(path, false) }

// DestroyEfile removes an efile from disk, like [Destroy].
func DestroyEfile(path string) error { return destroy(path, true) }

func destroy(path string, efile bool) error {
	f := wrongVersion
	if f == nil {
		o := capi.NewOptions()
		defer o.Free()
		f = capi.Destroy(path, o, efile)
	}
	return errorOf(f, "destroy", path)
}

func (c *common) open(path string, options []Option, efile bool) error {
	if wrongVersion != nil {
		return errorOf(wrongVersion, "open", path)
	}
	config := configOf(options)
	o, f := config.build()
	if f != nil {
		return errorOf(f, "open", path)
	}
	defer o.Free()
	logger := newLogRef(config.logger, path)
	if logger != nil {
		o.SetLog(logger.handle)
	}
	log, f := capi.Open(path, o, efile, logger != nil)
	if f != nil {
		logger.done()
		return errorOf(f, "open", path)
	}
	openHandles.Add(1)
	c.core = &core{log: log, path: path, logger: logger, idle: make(chan struct{}, 1), gone: make(chan struct{})}
	return nil
}

// Begins a call, which leave ends. The handle lives until then, whatever Close and the garbage collector do.
func (c *common) enter(op string) (*core, error) {
	if c.core == nil {
		return nil, refuse(ErrClosed, op, "", "the store was never opened")
	}
	k := c.core
	if k.users.Add(1)&closing != 0 {
		k.leave()
		return nil, refuse(ErrClosed, op, k.path, "%s: the store is closed", k.path)
	}
	runtime.KeepAlive(c)
	return k, nil
}

func (k *core) leave() {
	if k.users.Add(-1) == closing {
		select {
		case k.idle <- struct{}{}:
		default:
		}
	}
}

func (k *core) error(f *capi.Failure, op string) error { return errorOf(f, op, k.path) }

func (k *core) close() error {
	if k.users.Or(closing)&closing != 0 {
		<-k.gone
		return nil
	}
	for k.users.Load() != closing {
		<-k.idle
	}
	f := k.log.Close()
	openHandles.Add(-1)
	k.logger.done()
	close(k.gone)
	return k.error(f, "close")
}

// How many stores and iterators are open, and how many were forgotten: for tests.
var openHandles, forgottenHandles atomic.Int64

// Closing may wait for the disk, which cleanups must not.
func (k *core) forgotten() {
	if k.users.Load()&closing == 0 {
		forgottenHandles.Add(1)
		go k.close()
	}
}

// Close flushes, syncs and gives up the lock. It waits for calls that run; later ones get [ErrClosed], and iterators that are open go on.
// An error says that some appended events may not be on disk; the store is closed all the same. Closing again is fine and answers nil.
func (c *common) Close() error {
	if c.core == nil {
		return nil
	}
	return c.core.close()
}

// Path is the folder as it was given to Open.
func (c *common) Path() string {
	if c.core == nil {
		return ""
	}
	return c.core.path
}

func asC(events []Event) []capi.Event {
	return unsafe.Slice((*capi.Event)(unsafe.Pointer(unsafe.SliceData(events))), len(events))
}

// Does not compile if the two differ.
var _ = capi.Event(Event{})

// Append stores a batch, in any order of times, and answers with the last seq of the store as of then. Readers see all of the batch or
// nothing. Repeats are stored too. On failure nothing is stored, except that [ErrOutcomeUnknown] leaves it open.
func (c *common) Append(events ...Event) (lastSeq uint64, err error) {
	k, err := c.enter("append")
	if err != nil {
		return 0, err
	}
	defer k.leave()
	lastSeq, f := k.log.Append(asC(events))
	if f != nil {
		return 0, k.error(f, "append")
	}
	return lastSeq, nil
}

// Absent is what AppendAbsent did. Stored, Present and Expired together are all events of the batch.
type Absent struct {
	// LastSeq is the last seq of the store as of this append.
	LastSeq uint64
	// Stored is the number of events that were stored.
	Stored uint64
	// Present is the number of events that were there already, or earlier in the batch.
	Present uint64
	// Expired is the number of events that lie before what was deleted.
	Expired uint64
}

// AppendAbsent stores those events of a batch whose time, id and data are not those of a stored event or of an earlier one in the batch,
// in one step. Meant for sources that send again what may have been stored. Otherwise like Append.
func (c *common) AppendAbsent(events ...Event) (Absent, error) {
	k, err := c.enter("append absent")
	if err != nil {
		return Absent{}, err
	}
	defer k.leave()
	out, f := k.log.AppendAbsent(asC(events))
	if f != nil {
		return Absent{}, k.error(f, "append absent")
	}
	return Absent{LastSeq: out[0], Stored: out[1], Present: out[2], Expired: out[3]}, nil
}

// Calls that answer with one number.
func (c *common) number(op string, call func(capi.Log) (uint64, *capi.Failure)) (uint64, error) {
	k, err := c.enter(op)
	if err != nil {
		return 0, err
	}
	defer k.leave()
	n, f := call(k.log)
	if f != nil {
		return 0, k.error(f, op)
	}
	return n, nil
}

// Sync makes everything appended so far survive loss of power, and answers with the seq up to which all is safe. It blocks until the disk
// has confirmed. After an [ErrIO] or [ErrOutcomeUnknown] the store refuses appends until it is opened again.
func (c *common) Sync() (durableSeq uint64, err error) { return c.number("sync", capi.Log.Sync) }

// LastSeq is the last seq given; 0 if nothing was ever appended. Touches no file, except in a store that is open for reading only, which
// looks for news first.
func (c *common) LastSeq() (uint64, error) { return c.number("last seq", capi.Log.LastSeq) }

// DurableSeq is the seq up to which everything survives loss of power. As LastSeq it touches no file or looks for news first; who only reads
// may know of less than is safe.
func (c *common) DurableSeq() (uint64, error) { return c.number("durable seq", capi.Log.DurableSeq) }

// Count is the number of events from one time to another, both included, as reading them now would give.
func (c *common) Count(from, to uint64) (uint64, error) {
	return c.number("count", func(log capi.Log) (uint64, *capi.Failure) { return log.Count(from, to) })
}

// Tick does what is due by time: a sync, a flush, retention, or for who only reads a look for what tails wait for. Needed only with
// [NoBackground].
func (c *common) Tick() error {
	_, err := c.number("tick", func(log capi.Log) (uint64, *capi.Failure) { return 0, log.Tick() })
	return err
}

// Stats are the numbers of a store.
type Stats struct {
	// FileSize is the time range of one chunk in nanoseconds; 0 for an efile.
	FileSize uint64
	// Grace is how far an event may lie behind the newest before it is late, in nanoseconds.
	Grace uint64
	// Chunks is the number of chunks.
	Chunks uint64
	// Events is how many events reading everything gives.
	Events uint64
	// LateEvents is how many of the events in chunks that are there were late when they came.
	LateEvents uint64
	// ReconEvents is how many went through the recon file: the late ones, and stragglers within the grace.
	ReconEvents uint64
	// Oldest is the smallest time; MaxTime in an empty store.
	Oldest uint64
	// Newest is the largest time; 0 in an empty store.
	Newest uint64
	// Horizon is the time before which events were deleted.
	Horizon uint64
	// LastSeq is the last seq given.
	LastSeq uint64
	// DurableSeq is the seq up to which everything survives loss of power.
	DurableSeq uint64
	// LogBytes, ReconBytes, IndexBytes and JournalBytes are the sizes of the files of each kind.
	LogBytes, ReconBytes, IndexBytes, JournalBytes uint64
	// OpenLogs is how many logs are open for appending.
	OpenLogs uint64
	// Expired is how many events this handle skipped, since they lay before the horizon.
	Expired uint64
	// Present is how many events AppendAbsent of this handle found present.
	Present uint64
	// Recovered is how many events were recovered when the store was opened.
	Recovered uint64
	// CutBytes is how many bytes of torn tails were cut, and kept aside, or are not shown to who only reads.
	CutBytes uint64
	// DamagedRegions is how many damaged regions there are in logs that were looked at.
	DamagedRegions uint64
	// BacklogBytes is how many bytes are in the logs of chunks that wait for being compacted.
	BacklogBytes uint64
	// ChunkBytes is how many bytes all chunks take on disk, as MaxBytes counts them.
	ChunkBytes uint64
	// RemovedChunks is how many chunks retention removed through this handle.
	RemovedChunks uint64
	// More are the numbers by name that a newer library has and this package does not know; nil if there are none.
	More map[string]uint64
}

// Stats tells the numbers of the store.
func (c *common) Stats() (Stats, error) {
	k, err := c.enter("stats")
	if err != nil {
		return Stats{}, err
	}
	defer k.leave()
	v, f := k.log.Stats()
	if f != nil {
		return Stats{}, k.error(f, "stats")
	}
	stats := Stats{
		FileSize: v[capi.StatFileSize], Grace: v[capi.StatGrace], Chunks: v[capi.StatChunks], Events: v[capi.StatEvents],
		LateEvents: v[capi.StatLateEvents], ReconEvents: v[capi.StatReconEvents], Oldest: v[capi.StatOldest], Newest: v[capi.StatNewest],
		Horizon: v[capi.StatHorizon], LastSeq: v[capi.StatLastSeq], DurableSeq: v[capi.StatDurableSeq], LogBytes: v[capi.StatLogBytes],
		ReconBytes: v[capi.StatReconBytes], IndexBytes: v[capi.StatIndexBytes], JournalBytes: v[capi.StatJournalBytes],
		OpenLogs: v[capi.StatOpenLogs], Expired: v[capi.StatExpired], Present: v[capi.StatPresent], Recovered: v[capi.StatRecovered],
		CutBytes: v[capi.StatCutBytes], DamagedRegions: v[capi.StatDamagedRegions], BacklogBytes: v[capi.StatBacklogBytes],
		ChunkBytes: v[capi.StatChunkBytes], RemovedChunks: v[capi.StatRemovedChunks],
	}
	for i, n := range v[capi.StatCount:] {
		if stats.More == nil {
			stats.More = make(map[string]uint64)
		}
		stats.More[capi.StatName(capi.StatCount+i)] = n
	}
	return stats, nil
}

// Kind is a kind of finding.
type Kind int

const (
	// Damage is bytes that count and are not what was written. Events are lost, or may be.
	Damage Kind = capi.FindingDamage
	// Derived is an index or recon file that is not what it should be. Nothing is lost, and it is made anew.
	Derived Kind = capi.FindingDerived
	// Aside is bytes that don't count: a recovery cut them off and kept them for a person to look at.
	Aside Kind = capi.FindingAside
)

// Finding is something that Verify found.
type Finding struct {
	// Kind is what it means.
	Kind Kind
	// Path is the file.
	Path string
	// Offset and Len are the bytes of the file; Len is 0 where it is not a matter of bytes.
	Offset, Len uint64
	// What says it in words.
	What string
}

// Report is the outcome of Verify.
type Report struct {
	// Events is the number of events that were found whole.
	Events uint64
	// Damaged is the number of findings that are damage.
	Damaged uint64
	// Findings are all findings.
	Findings []Finding
}

// Verify looks at every byte of the store. It may run while others append and read, changes nothing, and fails only if it could not look:
// what it finds is in the report. When ctx is cancelled it ends at the next finding, and answers with the error of ctx and what it has
// found so far.
func (c *common) Verify(ctx context.Context) (Report, error) {
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	k, err := c.enter("verify")
	if err != nil {
		return Report{}, err
	}
	defer k.leave()
	found, events, damaged, f := k.log.Verify(ctx)
	if f != nil {
		return Report{}, k.error(f, "verify")
	}
	report := Report{Events: events, Damaged: damaged, Findings: make([]Finding, len(found))}
	for i, x := range found {
		report.Findings[i] = Finding{Kind(x.Kind), x.Path, x.Offset, x.Len, x.What}
	}
	return report, ctx.Err()
}

// Compacted is what Compact did.
type Compacted struct {
	// BytesBefore and BytesAfter are the sizes of the logs that were compacted, and of those in their place.
	BytesBefore, BytesAfter uint64
}

// Compact merges the logs of each chunk of a range of times, both included, into one: sorted, in full frames, with nothing late any more, so
// that reading and keeping it takes less. Others append and read meanwhile. A store does this by itself where it is worth it, unless it was
// opened with [NoCompaction].
//
// Where progress is not nil it is told now and then how many events are done, and of how many; it must not use the same store. When ctx is
// cancelled, or progress panics, it stops: what is done stays, and the rest is as it was. A damaged chunk stays as it is: the others are
// compacted before [ErrCorrupt] is answered.
func (c *common) Compact(ctx context.Context, from, to uint64, progress func(done, events uint64)) (Compacted, error) {
	if err := ctx.Err(); err != nil {
		return Compacted{}, err
	}
	k, err := c.enter("compact")
	if err != nil {
		return Compacted{}, err
	}
	defer k.leave()
	before, after, stopped, f := k.log.Compact(ctx, from, to, progress)
	if f != nil {
		return Compacted{}, k.error(f, "compact")
	}
	if stopped {
		return Compacted{before, after}, ctx.Err()
	}
	return Compacted{before, after}, nil
}

// Snapshotted is what Snapshot made.
type Snapshotted struct {
	// Seq is the last seq that the snapshot shows: where to follow from, after reading it.
	Seq uint64
	// BytesCopied and BytesLinked are the sizes of the logs that were copied, and of those that the snapshot shares with the store.
	BytesCopied, BytesLinked uint64
	// Damaged is how many places are damaged in what was copied: they are so in the store.
	Damaged uint64
}

// Snapshot makes a durable copy of the store, as it is at one moment, in another folder, while others append, read, compact and delete. The
// copy is a store like any other; opened for writing it is one of its own from then on. Snapshots can be made through a store opened with
// [ReadOnly], too, beside a writer in another process.
//
// The folder is made if it is not there, in a folder that is. It may be empty, or hold an earlier snapshot of the same store that nobody has
// opened for writing: then only what is new is copied, and until the new one is whole the earlier one is there. Everything else is refused:
// [ErrExists], [ErrForeignFiles], [ErrNotAFolder], [ErrInvalid] for the folder of the store itself and those in it, [ErrLocked] while
// another snapshot is being made there.
//
// Where progress is not nil it is told now and then how many events are done, and of how many; it must not use the same store. When ctx is
// cancelled, or progress panics, or anything fails, the folder is left as it was.
func (c *common) Snapshot(ctx context.Context, dir string, progress func(done, events uint64)) (Snapshotted, error) {
	if err := ctx.Err(); err != nil {
		return Snapshotted{}, err
	}
	k, err := c.enter("snapshot")
	if err != nil {
		return Snapshotted{}, err
	}
	defer k.leave()
	n, stopped, f := k.log.Snapshot(ctx, dir, progress)
	if f != nil {
		return Snapshotted{}, k.error(f, "snapshot")
	}
	if stopped {
		return Snapshotted{}, ctx.Err()
	}
	return Snapshotted{n[0], n[1], n[2], n[3]}, nil
}

// Range is a range of times, both included.
type Range struct{ From, To uint64 }

// Splits cuts a range at chunk borders: pieces that can be read by different goroutines, processes or machines and together give exactly
// the range. There is a piece for each stretch of [FileSize], also where it has no events; a range with more than 16 million of them is
// refused with [ErrRange].
func (s *Store) Splits(from, to uint64) ([]Range, error) {
	k, err := s.enter("splits")
	if err != nil {
		return nil, err
	}
	defer k.leave()
	bounds, f := k.log.Splits(from, to)
	if f != nil {
		return nil, k.error(f, "splits")
	}
	return asRanges(bounds), nil
}

// Retention is what Retain is to do. The zero value is to apply the limits that the store was opened with, [MaxAge] and [MaxBytes].
type Retention struct {
	// MaxAge is another greatest age for this once; 0 for that of the options.
	MaxAge time.Duration
	// MaxBytes is another greatest size for this once; 0 for that of the options.
	MaxBytes int64
	// DryRun removes nothing: Retain answers what it would remove.
	DryRun bool
}

// Retained is what Retain has removed, or would remove.
type Retained struct {
	// Horizon is the time before which everything is gone. It stays where it was if no chunk goes.
	Horizon uint64
	// Chunks is how many chunks went, Events how many events in them, and Bytes how many bytes they took on disk.
	Chunks, Events, Bytes uint64
}

// Retain removes whole chunks, oldest first, that are too old, or with which all take too much. What is live is never removed; see [MaxAge].
// It works on a full disk, and what it removed is gone for good, also if the power fails. Iterators that are open go on as they were. To see
// what a limit would remove before it is set:
//
//	would, err := store.Retain(estore.Retention{MaxAge: 30 * 24 * time.Hour, DryRun: true})
func (s *Store) Retain(r Retention) (Retained, error) {
	k, err := s.enter("retain")
	if err != nil {
		return Retained{}, err
	}
	defer k.leave()
	if r.MaxAge < 0 || r.MaxBytes < 0 {
		return Retained{}, refuse(ErrInvalid, "retain", k.path, "a limit below 0: %s, %d bytes", r.MaxAge, r.MaxBytes)
	}
	out, f := k.log.Retain(uint64(r.MaxAge), uint64(r.MaxBytes), r.DryRun)
	if f != nil {
		return Retained{}, k.error(f, "retain")
	}
	return Retained{Horizon: out[0], Chunks: out[1], Events: out[2], Bytes: out[3]}, nil
}

// DeleteBefore deletes all events before a time, for good: reads and counts start there at once, and later appends below it are skipped.
// Iterators that are open go on as they were. Once it returns, the deletion survives loss of power. 0 deletes nothing.
func (s *Store) DeleteBefore(ns uint64) error {
	_, err := s.number("delete", func(log capi.Log) (uint64, *capi.Failure) { return 0, log.DeleteBefore(ns) })
	return err
}

// DeleteBeforeTime is DeleteBefore with a [time.Time]; one before 1970 or after July 2554 is refused with [ErrRange].
func (s *Store) DeleteBeforeTime(t time.Time) error {
	ns, err := Nanos(t)
	if err != nil {
		return err
	}
	return s.DeleteBefore(ns)
}
