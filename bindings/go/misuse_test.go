package estore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"estore"
)

// What programs do wrong, or at an awkward moment, gets an error that says so, and nothing else happens.

func TestEveryCallAfterCloseSaysThatItIsClosed(t *testing.T) {
	folder := t.TempDir()
	store, err := estore.Open(folder + "/store")
	must(t, err)
	must(t, store.Close())
	must(t, store.Close())
	file, err := estore.OpenEfile(folder + "/efile")
	must(t, err)
	must(t, file.Close())
	must(t, file.Close())
	now := time.Now()
	type both interface {
		Append(...estore.Event) (uint64, error)
		AppendAbsent(...estore.Event) (estore.Absent, error)
		Iter(from, to uint64, options ...estore.ReadOption) (*estore.Iter, error)
		Read(ctx context.Context, from, to uint64, options ...estore.ReadOption) iter.Seq2[estore.Event, error]
		ReadTimes(ctx context.Context, from, to time.Time, options ...estore.ReadOption) iter.Seq2[estore.Event, error]
		Count(from, to uint64) (uint64, error)
		Stats() (estore.Stats, error)
		Sync() (uint64, error)
		Tick() error
		LastSeq() (uint64, error)
		DurableSeq() (uint64, error)
		Verify(context.Context) (estore.Report, error)
		Compact(ctx context.Context, from, to uint64, progress func(done, events uint64)) (estore.Compacted, error)
		Snapshot(ctx context.Context, dir string, progress func(done, events uint64)) (estore.Snapshotted, error)
		Digest(from, to uint64, width time.Duration) (estore.Digest, error)
		Exchange(from, to uint64, options estore.RepairOptions) (*estore.Exchange, error)
		Answer(message []byte) ([]byte, error)
		Export(from, to uint64, options ...estore.ReadOption) (*estore.Export, error)
		Parcels(ctx context.Context, from, to uint64, maxBytes int, options ...estore.ReadOption) iter.Seq2[[]byte, error]
		Import(parcel []byte) (estore.Absent, error)
		Path() string
	}
	for path, closed := range map[string]both{folder + "/store": store, folder + "/efile": file} {
		calls := map[string]error{
			"append": onlyError(closed.Append(at(1, "x"))), "append nothing": onlyError(closed.Append()),
			"append absent": onlyError(closed.AppendAbsent(at(1, "x"))), "iter": onlyError(closed.Iter(0, all)),
			"count": onlyError(closed.Count(0, all)), "stats": onlyError(closed.Stats()), "sync": onlyError(closed.Sync()), "tick": closed.Tick(),
			"last seq": onlyError(closed.LastSeq()), "durable seq": onlyError(closed.DurableSeq()), "verify": onlyError(closed.Verify(ctx)),
			"compact": onlyError(closed.Compact(ctx, 0, all, nil)), "snapshot": onlyError(closed.Snapshot(ctx, "copy", nil)),
			"digest": onlyError(closed.Digest(0, 1, 1)), "exchange": onlyError(closed.Exchange(0, 1, estore.RepairOptions{})),
			"answer": onlyError(closed.Answer(nil)), "export": onlyError(closed.Export(0, 1)), "import": onlyError(closed.Import(nil)),
		}
		for _, err := range closed.Parcels(ctx, 0, all, 1<<20) {
			calls["parcels"] = err
		}
		for _, err := range closed.Read(ctx, 0, all) {
			calls["read"] = err
		}
		for _, err := range closed.ReadTimes(ctx, now, now) {
			calls["read times"] = err
		}
		if closed == both(store) {
			calls["splits"] = onlyError(store.Splits(0, 1))
			calls["delete"] = store.DeleteBefore(1)
			calls["delete by time"] = store.DeleteBeforeTime(now)
			calls["retain"] = onlyError(store.Retain(estore.Retention{}))
			calls["repair"] = onlyError(store.Repair(ctx, store, 0, all, estore.RepairOptions{}))
		}
		for call, err := range calls {
			if e := isError(t, err, estore.ErrClosed); e.Path != path || !strings.Contains(e.Message, path) || !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %v", call, err)
			}
		}
		equal(t, closed.Path(), path)
	}
}

func TestAStoreMayBeClosedInsideALoop(t *testing.T) {
	for _, options := range [][]estore.ReadOption{nil, {estore.Borrow()}, {estore.Reverse()}} {
		store := numbered(t, 2000)
		n := 0
		for event, err := range store.Read(ctx, 0, all, options...) {
			must(t, err)
			if n == 300 {
				must(t, store.Close())
			}
			equal(t, string(event.Data), fmt.Sprint(event.Time))
			n++
		}
		equal(t, n, 2000)
	}
}

func TestAnIteratorClosedUnderItsReaderLeavesItTheCopies(t *testing.T) {
	store := numbered(t, 2000)
	for range 20 {
		i, err := store.Iter(0, all)
		must(t, err)
		var group sync.WaitGroup
		group.Add(1)
		reading := make(chan struct{})
		go func() {
			defer group.Done()
			next := uint64(0)
			for {
				events, err := i.NextBatch(ctx)
				if next == 0 {
					close(reading)
				}
				if errors.Is(err, estore.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				for _, event := range events {
					if event.Time != next || string(event.Data) != fmt.Sprint(next) {
						t.Errorf("event %d is %+v", next, event)
						return
					}
					next++
				}
				if len(events) == 0 {
					runtime.Gosched()
				}
			}
		}()
		<-reading
		i.Close()
		group.Wait()
	}
}

func TestPulledReadersAreFreed(t *testing.T) {
	store := numbered(t, 600)
	before := estore.OpenHandles()
	next, stop := iter.Pull2(store.Read(ctx, 0, all, estore.Borrow()))
	for i := range 300 {
		event, err, ok := next()
		must(t, err)
		if !ok || event.Time != uint64(i) {
			t.Fatalf("event %d is %+v", i, event)
		}
	}
	equal(t, estore.OpenHandles(), before+1)
	stop()
	equal(t, estore.OpenHandles(), before)
	if _, _, ok := next(); ok {
		t.Fatal("it goes on")
	}
}

// However often the context is asked before it is cancelled: the loop gives whole batches, then its error, and frees its reader.
func TestAContextEndsALoopAtEveryMoment(t *testing.T) {
	store := numbered(t, 1500)
	before := estore.OpenHandles()
	last := 0
	for patience := 0; ; patience++ {
		n := 0
		var failed error
		for event, err := range store.Read(&impatient{ctx, 0, patience}, 0, all) {
			if err != nil {
				failed = err
				equal(t, event.Seq, 0)
				continue
			}
			equal(t, event.Time, uint64(n))
			n++
		}
		equal(t, estore.OpenHandles(), before)
		if failed == nil {
			equal(t, n, 1500)
			break
		}
		if failed != context.Canceled || n < last {
			t.Fatalf("asked %d times: %d events after %d, and %v", patience, n, last, failed)
		}
		last = n
	}
	past, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
	defer cancel()
	for _, err := range store.Read(past, 0, all) {
		if err != context.DeadlineExceeded {
			t.Fatal(err)
		}
	}
	equal(t, onlyError(store.Verify(past)), context.DeadlineExceeded)
}

// Cancelled by another goroutine at any moment: whole, or the error of the context, and never anything else.
func TestAContextIsCancelledFromElsewhere(t *testing.T) {
	store := numbered(t, 1500)
	whole := 0
	for round := range 100 {
		cancelled, cancel := context.WithCancel(ctx)
		start := make(chan struct{})
		go func() {
			<-start
			for range round * 20 {
				runtime.Gosched()
			}
			cancel()
		}()
		close(start)
		n := 0
		var failed error
		for _, err := range store.Read(cancelled, 0, all, estore.Borrow()) {
			if failed = err; err == nil {
				n++
			}
		}
		if failed == nil {
			equal(t, n, 1500)
			whole++
		} else if failed != context.Canceled {
			t.Fatalf("%d events, then %v", n, failed)
		}
		<-cancelled.Done()
	}
	t.Logf("%d of 100 loops came to their end", whole)
}

// Only the length is looked at: this memory can't be read.
func TestDataThatNoStoreTakes(t *testing.T) {
	for _, n := range []int{16<<20 + 1, 1 << 32, 5 << 30} {
		memory, err := syscall.Mmap(-1, 0, n, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
		if err != nil {
			t.Skip("no room for so much address space: ", err)
		}
		store := open(t)
		isError(t, onlyError(store.Append(at(1, "x"), estore.Event{Data: memory})), estore.ErrTooLarge)
		isError(t, onlyError(store.AppendAbsent(at(1, "x"), estore.Event{Data: memory})), estore.ErrTooLarge)
		count, err := store.Count(0, all)
		must(t, err)
		equal(t, count, 0)
		must(t, syscall.Munmap(memory))
	}
}

// A year that Go can count and nanoseconds can't, in both directions, and one that UnixNano can't.
func TestTimesPastTheLimitsOfGoAndOfNanoseconds(t *testing.T) {
	store := open(t)
	for _, bad := range []time.Time{
		{}, time.Unix(-1, 0), time.Unix(0, -1), time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2554, 7, 21, 23, 34, 33, 709_551_616, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<62, 0), time.Unix(-1<<62, 0),
	} {
		err := onlyError(estore.NewAt(bad, nil))
		if e := isError(t, err, estore.ErrRange); !strings.Contains(e.Message, "1970") || !strings.Contains(e.Message, "2554") {
			t.Errorf("%v: it does not say what fits: %q", bad, e.Message)
		}
		isFirst(t, store.ReadTimes(ctx, bad, bad), estore.ErrRange)
		isError(t, store.DeleteBeforeTime(bad), estore.ErrRange)
	}
	// The last nanosecond, in a zone where it is another day.
	last := time.Date(2554, 7, 21, 23, 34, 33, 709_551_615, time.UTC).In(time.FixedZone("east", 10*3600))
	event, err := estore.NewAt(last, []byte("last"))
	must(t, err)
	equal(t, event.Time, all)
	add(t, store, event)
	same(t, texts(t, store.ReadTimes(ctx, last, last)), []string{"last"})
	if !event.At().Equal(last) {
		t.Fatalf("%v came back as %v", last, event.At())
	}
}
