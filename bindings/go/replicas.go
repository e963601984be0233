package estore

import (
	"context"
	"iter"
	"runtime"
	"time"
	"unsafe"

	"estore/internal/capi"
)

// Bucket is what a digest tells of a stretch of time.
type Bucket struct {
	// Count is how many different events there are: repeats count once.
	Count uint64
	// SumLow and SumHigh are the low and the high half of the sum of their hashes.
	SumLow, SumHigh uint64
}

func asNumbers(buckets []Bucket) []capi.Bucket {
	return unsafe.Slice((*capi.Bucket)(unsafe.Pointer(unsafe.SliceData(buckets))), len(buckets))
}

// Does not compile if the two differ.
var _ = capi.Bucket(Bucket{})

// Digest is what a range of times holds, bucket by bucket: equal for stores that hold the same events, however they were appended, and
// whatever has become of their files. It is plain data, to be sent in any way.
type Digest struct {
	// From and To are the times, both included.
	From, To uint64
	// Width is how long each bucket is; the last one may be shorter.
	Width time.Duration
	// Horizon is the time before which everything is deleted in the store.
	Horizon uint64
	// Buckets are in order of time.
	Buckets []Bucket
}

// No digest has more buckets.
const maxBuckets = 1 << 20

// Digest tells what a range of times holds, both ends included, in buckets of a width. Of stores that should hold the same, ask for the same
// range and width, and see where they differ by Differences. It takes about two scans of the range. A width of 0 or less, or with which
// there are more than a million buckets, is refused with [ErrInvalid].
func (c *common) Digest(from, to uint64, width time.Duration) (Digest, error) {
	k, err := c.enter("digest")
	if err != nil {
		return Digest{}, err
	}
	defer k.leave()
	if width < 0 {
		return Digest{}, refuse(ErrInvalid, "digest", k.path, "a width below 0: %s", width)
	}
	d := Digest{From: from, To: to, Width: width}
	// What is refused needs no room.
	if width > 0 && from <= to && (to-from)/uint64(width) < maxBuckets {
		d.Buckets = make([]Bucket, (to-from)/uint64(width)+1)
	}
	horizon, f := k.log.Digest(from, to, uint64(width), asNumbers(d.Buckets))
	if f != nil {
		return Digest{}, k.error(f, "digest")
	}
	d.Horizon = horizon
	return d, nil
}

// Differences are the times in which two stores differ, as ranges that don't touch; none if the digests are equal. Times before the
// later horizon of the two are left out; but the bucket in which it lies may differ just by what is deleted of it. To be exact there, ask both
// for a range that starts at the later horizon. Digests of different ranges or widths are refused with [ErrInvalid].
func (d Digest) Differences(other Digest) ([]Range, error) {
	if d.From != other.From || d.To != other.To || d.Width != other.Width || len(d.Buckets) != len(other.Buckets) || d.Width < 0 {
		return nil, refuse(ErrInvalid, "differences", "", "digests of different ranges can't be compared")
	}
	bounds, f := capi.Differences(d.From, d.To, uint64(d.Width), asNumbers(d.Buckets), d.Horizon, asNumbers(other.Buckets), other.Horizon)
	if f != nil {
		return nil, errorOf(f, "differences", "")
	}
	return asRanges(bounds), nil
}

// Pairs of first and last time as ranges.
func asRanges(bounds []uint64) []Range {
	ranges := make([]Range, len(bounds)/2)
	for i := range ranges {
		ranges[i] = Range{bounds[2*i], bounds[2*i+1]}
	}
	return ranges
}

// RepairOptions is how to repair. The zero value is one way, without a word.
type RepairOptions struct {
	// BothWays gives the other store what it lacks, too.
	BothWays bool
	// Progress is told now and then how many events are done, and of how many, where it is not nil. It must not use the two stores, nor
	// close them, which would wait for the repair. An exchange has no progress.
	Progress func(done, events uint64)
}

func (o RepairOptions) flags() uint32 {
	if o.BothWays {
		return capi.RepairBothWays
	}
	return capi.RepairOneWay
}

// Copied is what became of the events of one store that another was to have. Each that was compared is one of the others.
type Copied struct {
	// Compared is how many events were looked at, repeats too.
	Compared uint64
	// Copied is how many the other lacked, and has now.
	Copied uint64
	// Skipped is how many the other has already, and repeats.
	Skipped uint64
	// Expired is how many the other has deleted, or would have.
	Expired uint64
}

// Repaired is what a repair did.
type Repaired struct {
	// To is for the store that was repaired, From for the other one. Nothing is copied there unless that was asked for.
	To, From Copied
	// Gaps are the damaged places in the other store: what is in there was not copied. Of a store elsewhere Path is the name of the file; a
	// last one without a name stands for more places than are told one by one.
	Gaps []Gap
	// OwnGaps are the damaged places in the store that was repaired: what was in there it was given anew, if the other one has it.
	OwnGaps []Gap
}

func asRepaired(n [capi.RepairedCount]uint64, missing []capi.Missing) Repaired {
	r := Repaired{
		To: Copied{n[capi.RepairedToCompared], n[capi.RepairedToCopied], n[capi.RepairedToSkipped], n[capi.RepairedToExpired]},
		From: Copied{n[capi.RepairedFromCompared], n[capi.RepairedFromCopied], n[capi.RepairedFromSkipped],
			n[capi.RepairedFromExpired]},
	}
	gaps := asGaps(missing)
	theirs := min(n[capi.RepairedGaps], uint64(len(gaps)))
	r.Gaps, r.OwnGaps = gaps[:theirs:theirs], gaps[theirs:]
	return r
}

// Repair brings this store what it lacks of the events that another one has in a range of times, both included; [MaxTime] as the end means
// that there is none. Two events are the same if time, id and data are. Nothing is doubled, and what one of the two has deleted is not
// brought back. Their settings may differ, and others may append meanwhile.
//
// When ctx is cancelled, or Progress panics, or anything fails, it stops: what was copied stays, and a repair later brings the rest. When ctx
// is cancelled it answers with the error of ctx and what it has done so far, on failure with nothing done. What is in damaged frames is not there, in either of the two: see
// [Repaired.Gaps] and [Repaired.OwnGaps].
func (s *Store) Repair(ctx context.Context, other *Store, from, to uint64, options RepairOptions) (Repaired, error) {
	if other == nil {
		other = new(Store)
	}
	return s.repair(ctx, &other.common, from, to, options)
}

// Repair brings this efile what it lacks, like [Store.Repair].
func (e *Efile) Repair(ctx context.Context, other *Efile, from, to uint64, options RepairOptions) (Repaired, error) {
	if other == nil {
		other = new(Efile)
	}
	return e.repair(ctx, &other.common, from, to, options)
}

func (c *common) repair(ctx context.Context, other *common, from, to uint64, options RepairOptions) (Repaired, error) {
	if err := ctx.Err(); err != nil {
		return Repaired{}, err
	}
	k, err := c.enter("repair")
	if err != nil {
		return Repaired{}, err
	}
	defer k.leave()
	o, err := other.enter("repair")
	if err != nil {
		return Repaired{}, err
	}
	defer o.leave()
	n, missing, f := k.log.Repair(ctx, o.log, from, to, options.flags(), options.Progress)
	if f != nil {
		return Repaired{}, k.error(f, "repair")
	}
	if n[capi.RepairedStopped] != 0 {
		return asRepaired(n, missing), ctx.Err()
	}
	return asRepaired(n, missing), nil
}

// Exchange repairs a store by messages with another one, which may be anywhere. It is the caller who carries them: each Request is answered by
// Answer of the other store, and the answer goes to Reply; Run does it until all is done. It may be given up at any point: what was copied
// stays, and another exchange brings the rest. Several goroutines may call it and take turns, but let one at a time carry messages: an answer
// to the message of another is refused. End it with Close.
type Exchange struct {
	held *held
	c    capi.Exchange
	// What is forgotten is closed, and an exchange is of no use without its store.
	store *common
}

// Exchange begins to bring this store what it lacks of the events that another one has in a range of times, both included, or each of the
// two what it lacks. One event that lacks among 100 million is found with a few messages of some kilobytes. Once the store is closed the
// exchange fails with [ErrClosed].
func (c *common) Exchange(from, to uint64, options RepairOptions) (*Exchange, error) {
	k, err := c.enter("exchange")
	if err != nil {
		return nil, err
	}
	defer k.leave()
	x, f := k.log.Exchange(from, to, options.flags())
	if f != nil {
		return nil, k.error(f, "exchange")
	}
	e := &Exchange{held: k.hold(x.End), c: x, store: c}
	runtime.AddCleanup(e, (*held).forgotten, e.held)
	return e, nil
}

func (e *Exchange) lock(op string) (*held, error) {
	if e == nil {
		return nil, (*held)(nil).lock("exchange", op)
	}
	return e.held, e.held.lock("exchange", op)
}

// Request is the next message for the other store; nil once all is done. It is the same message again until Reply has taken an answer.
func (e *Exchange) Request() ([]byte, error) {
	h, err := e.lock("request")
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(e)
	message, f := e.c.Request()
	return message, errorOf(f, "request", h.path)
}

// Reply takes the answer of the other store, and appends what it brings. One that is no answer to the last request, or was cut or changed,
// is refused with [ErrCorrupt]: it counts for nothing, and the request waits to be sent again.
func (e *Exchange) Reply(reply []byte) error {
	h, err := e.lock("reply")
	if err != nil {
		return err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(e)
	return errorOf(e.c.Reply(reply), "reply", h.path)
}

// Repaired is what was done so far. Ranges of which both hold the same are not looked into: their events are not among those compared.
func (e *Exchange) Repaired() (Repaired, error) {
	h, err := e.lock("repaired")
	if err != nil {
		return Repaired{}, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(e)
	n, missing, f := e.c.Repaired()
	if f != nil {
		return Repaired{}, errorOf(f, "repaired", h.path)
	}
	return asRepaired(n, missing), nil
}

// Run exchanges messages until all is done: send brings each to the other store, where Answer answers it, and gives back the answer. It ends
// with the first error, of send or of its own, or when ctx is done, and answers with what was done so far; run again, it goes on where it was.
//
//	exchange, err := store.Exchange(0, estore.MaxTime, estore.RepairOptions{BothWays: true})
//	...
//	defer exchange.Close()
//	repaired, err := exchange.Run(ctx, func(ctx context.Context, message []byte) ([]byte, error) {
//		return post(ctx, "https://the.other/answer", message)
//	})
func (e *Exchange) Run(ctx context.Context, send func(ctx context.Context, message []byte) (reply []byte, err error)) (Repaired, error) {
	err := e.run(ctx, send)
	done, failure := e.Repaired()
	if err == nil {
		err = failure
	}
	return done, err
}

func (e *Exchange) run(ctx context.Context, send func(context.Context, []byte) ([]byte, error)) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		message, err := e.Request()
		if err != nil || message == nil {
			return err
		}
		reply, err := send(ctx, message)
		if err != nil {
			return err
		}
		if err := e.Reply(reply); err != nil {
			return err
		}
	}
}

// Close ends the exchange. Closing again is fine. It never fails.
func (e *Exchange) Close() {
	if e != nil {
		e.held.close(nil)
		runtime.KeepAlive(e)
	}
}

// Answer answers a message of an [Exchange] elsewhere. Nothing is remembered from one message to the next, so a peer may vanish at any point.
// Bytes that are no such message, or were cut or changed, are refused with [ErrCorrupt], and nothing was stored. A store opened with
// [ReadOnly] answers too, unless it is to be given something.
func (c *common) Answer(message []byte) ([]byte, error) {
	k, err := c.enter("answer")
	if err != nil {
		return nil, err
	}
	defer k.leave()
	reply, f := k.log.Answer(message)
	if f != nil {
		return nil, k.error(f, "answer")
	}
	return reply, nil
}

// Export gives the events of a range as parcels: bytes that can be kept or carried anywhere, each whole in itself. It shows the store as it
// was when it was made, and may outlive it. Several goroutines may use it and take turns. End it with Close.
type Export struct {
	held *held
	c    capi.Export
	gaps *[]Gap
}

// Export starts giving the events from one time to another as parcels, both included, for Import elsewhere. Of the options, [Borrow] has no
// meaning here. For loops, Parcels is simpler.
func (c *common) Export(from, to uint64, options ...ReadOption) (*Export, error) {
	k, err := c.enter("export")
	if err != nil {
		return nil, err
	}
	defer k.leave()
	r, err := readingOf(options, "export", k.path)
	if err != nil {
		return nil, err
	}
	x, f := k.log.Export(from, to, r.flags, r.limit)
	if f != nil {
		return nil, k.error(f, "export")
	}
	e := &Export{held: k.hold(x.End), c: x, gaps: r.gaps}
	runtime.AddCleanup(e, (*held).forgotten, e.held)
	return e, nil
}

func (x *Export) lock(op string) (*held, error) {
	if x == nil {
		return nil, (*held)(nil).lock("export", op)
	}
	return x.held, x.held.lock("export", op)
}

// Next is the next parcel, of at most maxBytes unless a single event needs more; 1 MiB is a good size. nil at the end. A failure such as
// [ErrCorrupt] comes after the events before it.
func (x *Export) Next(maxBytes int) ([]byte, error) {
	h, err := x.lock("export")
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(x)
	if maxBytes < 1 {
		return nil, refuse(ErrInvalid, "export", h.path, "parcels of at most %d bytes", maxBytes)
	}
	parcel, f := x.c.Next(uint(maxBytes))
	return parcel, errorOf(f, "export", h.path)
}

// SnapshotSeq is the seq up to which the export shows the store.
func (x *Export) SnapshotSeq() (uint64, error) {
	h, err := x.lock("snapshot seq")
	if err != nil {
		return 0, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(x)
	seq, f := x.c.SnapshotSeq()
	return seq, errorOf(f, "snapshot seq", h.path)
}

// Gaps is what an export with [Salvage] has left out so far; all of it is known once it has come to its end.
func (x *Export) Gaps() ([]Gap, error) {
	h, err := x.lock("gaps")
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(x)
	missing, f := x.c.Gaps()
	return asGaps(missing), errorOf(f, "gaps", h.path)
}

// Close ends the export; its parcels stay. Closing again is fine. It never fails.
func (x *Export) Close() {
	if x == nil {
		return
	}
	x.held.close(func() { handOver(x.gaps, x.c.Gaps) })
	runtime.KeepAlive(x)
}

// Parcels gives the events from one time to another as parcels of at most maxBytes; see [Export]. An error comes as the last step. ctx is
// looked at before each parcel.
//
//	for parcel, err := range store.Parcels(ctx, from, to, 1<<20) {
//		if err != nil {
//			return err
//		}
//		...
//	}
func (c *common) Parcels(ctx context.Context, from, to uint64, maxBytes int, options ...ReadOption) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		x, err := c.Export(from, to, options...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer x.Close()
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			parcel, err := x.Next(maxBytes)
			if err == nil && parcel == nil {
				return
			}
			if !yield(parcel, err) || err != nil {
				return
			}
		}
	}
}

// Import appends the events of a parcel that are not there yet, as one batch. One that was cut or changed is refused with [ErrCorrupt], and
// nothing of it is stored. Otherwise like AppendAbsent.
func (c *common) Import(parcel []byte) (Absent, error) {
	k, err := c.enter("import")
	if err != nil {
		return Absent{}, err
	}
	defer k.leave()
	out, f := k.log.Import(parcel)
	if f != nil {
		return Absent{}, k.error(f, "import")
	}
	return Absent{LastSeq: out[0], Stored: out[1], Present: out[2], Expired: out[3]}, nil
}
