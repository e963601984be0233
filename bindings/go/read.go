package estore

import (
	"context"
	"iter"
	"runtime"
	"time"
	"unsafe"

	"estore/internal/capi"
)

// ReadOption says how to read.
type ReadOption func(*reading)

type reading struct {
	flags  uint32
	limit  uint64
	borrow bool
	gaps   *[]Gap
	// An option that can never work.
	refused string
}

// Reverse reads newest first: exactly the forward order reversed.
func Reverse() ReadOption { return func(r *reading) { r.flags |= capi.ReadReverse } }

// Limit reads at most n events, counted from where reading starts. n must be at least 1.
func Limit(n int) ReadOption { return func(r *reading) { r.atMost(n, "Limit") } }

// Last reads the newest n events of the range, still oldest first unless [Reverse] is said too. n must be at least 1.
func Last(n int) ReadOption {
	return func(r *reading) {
		r.flags |= capi.ReadLast
		r.atMost(n, "Last")
	}
}

func (r *reading) atMost(n int, what string) {
	if n < 1 {
		r.refused = what + " needs at least 1 event"
		return
	}
	r.limit = uint64(n)
}

func readingOf(options []ReadOption, op, path string) (reading, error) {
	var r reading
	for _, o := range options {
		if o != nil {
			o(&r)
		}
	}
	if r.refused != "" {
		return r, refuse(ErrInvalid, op, path, "%s", r.refused)
	}
	return r, nil
}

// Salvage goes on at damage instead of failing: damaged frames are left out, every event outside of them comes. See [Iter.Gaps] and
// [SalvageInto] for what is missing.
func Salvage() ReadOption { return func(r *reading) { r.flags |= capi.ReadSalvage } }

// SalvageInto is [Salvage], and when reading ends, also early, the gaps up to there are appended to *gaps.
func SalvageInto(gaps *[]Gap) ReadOption {
	return func(r *reading) {
		r.flags |= capi.ReadSalvage
		r.gaps = gaps
	}
}

// Borrow lends the data of events instead of copying it: no memory is allocated for them. It is memory of the library, and ends when the
// loop goes on to the next event, or when the next batch is asked of an [Iter] or it is closed. Whoever follows it later reads other
// bytes or crashes the program: bytes.Clone what is kept. It must not be written to.
func Borrow() ReadOption { return func(r *reading) { r.borrow = true } }

// Gap is a damaged place that was left out.
type Gap struct {
	// Path is the damaged file; Offset and Len are its bytes that were left out.
	Path        string
	Offset, Len uint64
	// No event that is missing is older than FirstTime nor newer than LastTime.
	FirstTime, LastTime uint64
	// What says in words what is wrong with the bytes.
	What string
}

// Iter gives the events of one moment in batches: every append that had returned when it was made, and nothing that comes later. It may
// outlive its store. Several goroutines may use it and take turns. End it with Close.
type Iter struct {
	held   *held
	cursor capi.Cursor
	gaps   *[]Gap
	events []Event
	borrow bool
}

// Iter starts reading from one time to another, both included; [MaxTime] as the end means that there is none. For loops, Read is simpler.
func (c *common) Iter(from, to uint64, options ...ReadOption) (*Iter, error) {
	k, err := c.enter("read")
	if err != nil {
		return nil, err
	}
	defer k.leave()
	r, err := readingOf(options, "read", k.path)
	if err != nil {
		return nil, err
	}
	cursor, f := k.log.Read(from, to, r.flags, r.limit)
	if f != nil {
		return nil, k.error(f, "read")
	}
	i := &Iter{held: k.hold(cursor.End), cursor: cursor, gaps: r.gaps, borrow: r.borrow}
	runtime.AddCleanup(i, (*held).forgotten, i.held)
	return i, nil
}

func (i *Iter) lock(op string) (*held, error) {
	if i == nil {
		return nil, (*held)(nil).lock("iterator", op)
	}
	return i.held, i.held.lock("iterator", op)
}

// NextBatch gives the next events: any number of them, none at the end, and again none after it. The slice is the iterator's until the
// next call; the data is the caller's, unless [Borrow] was asked for. A failure such as [ErrCorrupt] comes after the events before it.
// A ctx that is cancelled before the call is the error, and takes nothing away.
func (i *Iter) NextBatch(ctx context.Context) ([]Event, error) {
	h, err := i.lock("read")
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(i)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	raw, memory, err := i.next()
	if err != nil {
		return nil, err
	}
	i.events = fill(i.events, raw, memory)
	return i.events, nil
}

// A batch as events, in the place of an earlier one. Memory is what its data was copied into, or nil.
func fill(events []Event, raw []capi.RawEvent, memory unsafe.Pointer) []Event {
	if cap(events) < len(raw) {
		events = make([]Event, len(raw))
	}
	events = events[:len(raw)]
	for n := range raw {
		r, e := &raw[n], &events[n]
		e.Time, e.Seq, e.ID, e.Data = r.Time, r.Seq, r.ID, r.Data(memory)
	}
	return events
}

// The next events, and the memory that their data was copied into if it isn't borrowed.
func (i *Iter) next() ([]capi.RawEvent, unsafe.Pointer, error) {
	raw, f := i.cursor.Next()
	if f != nil {
		return nil, nil, errorOf(f, "read", i.held.path)
	}
	if i.borrow {
		return raw, nil, nil
	}
	return raw, capi.Copy(raw), nil
}

// SnapshotSeq is the seq up to which the iterator shows the store.
func (i *Iter) SnapshotSeq() (uint64, error) {
	h, err := i.lock("snapshot seq")
	if err != nil {
		return 0, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(i)
	seq, f := i.cursor.SnapshotSeq()
	return seq, errorOf(f, "snapshot seq", h.path)
}

// Gaps is what an iterator with [Salvage] has left out so far; all of it is known once it has come to its end. Others leave nothing out.
func (i *Iter) Gaps() ([]Gap, error) {
	h, err := i.lock("gaps")
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	defer runtime.KeepAlive(i)
	missing, f := i.cursor.Gaps()
	return asGaps(missing), errorOf(f, "gaps", h.path)
}

// Appends what was missed to gaps, if somebody wants it.
func handOver(gaps *[]Gap, missed func() ([]capi.Missing, *capi.Failure)) {
	if gaps != nil {
		missing, _ := missed()
		*gaps = append(*gaps, asGaps(missing)...)
	}
}

func asGaps(missing []capi.Missing) []Gap {
	gaps := make([]Gap, len(missing))
	for i, m := range missing {
		gaps[i] = Gap(m)
	}
	return gaps
}

// Close ends the iterator, and what it lent. Closing again is fine. It never fails.
func (i *Iter) Close() {
	if i == nil {
		return
	}
	i.held.close(func() { handOver(i.gaps, i.cursor.Gaps) })
	runtime.KeepAlive(i)
}

// Read gives the events from one time to another, both included, in order of time and, for equal times, of arrival; [MaxTime] as the end
// means that there is none.
//
//	for event, err := range store.Read(ctx, from, to) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// Each loop shows the store as it is when it starts. An error, also of opening the reader, comes as the last step with an empty event.
// ctx is looked at before each batch. When the loop ends, also early, what it needed is freed; when a panic leaves it, the garbage collector
// does that. Data is the caller's, unless [Borrow] was asked for.
func (c *common) Read(ctx context.Context, from, to uint64, options ...ReadOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		// Without defer, and with yield called in one place, the compiler builds all of this into the loop of the caller, where an event
		// costs a few nanoseconds less than a call.
		i, err := c.begin(ctx, from, to, options)
		for more := true; more; {
			var raw []capi.RawEvent
			var memory unsafe.Pointer
			raw, memory, more, err = i.step(ctx, err)
			for n := range raw {
				r := &raw[n]
				data := r.Data(memory)
				if !yield(Event{r.Time, r.Seq, r.ID, data}, err) {
					i.Close()
					return
				}
			}
		}
		i.Close()
	}
}

func (c *common) begin(ctx context.Context, from, to uint64, options []ReadOption) (*Iter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.Iter(from, to, options...)
}

// What a loop shows next, and whether there may be more: events, or one empty event with the error.
func (i *Iter) step(ctx context.Context, err error) (raw []capi.RawEvent, memory unsafe.Pointer, more bool, _ error) {
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		raw, memory, err = i.next()
	}
	if err != nil {
		return make([]capi.RawEvent, 1), nil, false, err
	}
	return raw, memory, len(raw) > 0, nil
}

// ReadTimes is Read with [time.Time]. A time before 1970 or after July 2554 is refused with [ErrRange].
func (c *common) ReadTimes(ctx context.Context, from, to time.Time, options ...ReadOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		start, err := Nanos(from)
		end := uint64(0)
		if err == nil {
			end, err = Nanos(to)
		}
		if err != nil {
			yield(Event{}, err)
			return
		}
		c.Read(ctx, start, end, options...)(yield)
	}
}
