package estore_test

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"estore"
)

// How many handles tests let go of without closing them.
var forgottenOnPurpose atomic.Int64

func TestForgottenHandlesAreClosed(t *testing.T) {
	path := t.TempDir() + "/events"
	before := estore.OpenHandles()
	forget := func() {
		store, err := estore.Open(path)
		must(t, err)
		add(t, store, at(1, "x"))
		for range 3 {
			_, err := store.Iter(0, all, estore.SalvageInto(new([]estore.Gap)))
			must(t, err)
		}
		forgottenOnPurpose.Add(4)
	}
	forget()
	collectUntil(t, before)
	// The lock is given up too.
	same(t, texts(t, openAt(t, path).Read(ctx, 0, all)), []string{"x"})
}

// Collects garbage until no more handles are open than that.
func collectUntil(t testing.TB, open int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); estore.OpenHandles() != open; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d handles are open, not %d", estore.OpenHandles(), open)
		}
		runtime.GC()
	}
}

// The last use of the store is the call itself, during which the collector must not close it.
func TestAStoreLivesWhileItIsUsed(t *testing.T) {
	path := t.TempDir() + "/events"
	stop := make(chan struct{})
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	for i := range uint64(20) {
		// The one before this is forgotten, and keeps the lock until it is closed.
		var store *estore.Store
		var err error
		for store == nil {
			store, err = estore.Open(path)
			if err != nil {
				isError(t, err, estore.ErrLocked)
				runtime.Gosched()
			}
		}
		forgottenOnPurpose.Add(1)
		seq, err := store.Append(at(i, "x"), estore.Event{Time: i, Data: bytes.Repeat([]byte("y"), 5000)})
		must(t, err)
		equal(t, seq, 2*(i+1))
	}
	close(stop)
	<-collected
	collectUntil(t, 0)
}

// Small and large data, kept alive by nothing but the call.
func TestDataLivesUntilItIsStored(t *testing.T) {
	store := open(t, estore.Process())
	for round := range uint64(30) {
		seq, err := store.Append(batchOf(round)...)
		must(t, err)
		equal(t, seq, 20*(round+1))
		_, err = store.AppendAbsent(batchOf(round)...)
		must(t, err)
	}
	n := uint64(0)
	for event, err := range store.Read(ctx, 0, all) {
		must(t, err)
		want := batchOf(n / 20)[n%20]
		if event.Time != want.Time || !bytes.Equal(event.Data, want.Data) {
			t.Fatalf("event %d is not what was appended", n)
		}
		n++
	}
	equal(t, n, 600)
}

func batchOf(round uint64) []estore.Event {
	batch := make([]estore.Event, 20)
	for i := range batch {
		batch[i] = estore.Event{Time: round, ID: uint32(i), Data: bytes.Repeat([]byte{byte(round), byte(i)}, 1+i*150)}
	}
	return batch
}

func TestAllocations(t *testing.T) {
	if raceDetector || debugBuild {
		t.Skip("measured without what allocates by itself")
	}
	store := open(t, estore.Process())
	batch := make([]estore.Event, 10_000)
	for i := range batch {
		batch[i] = estore.Event{Time: uint64(i), Data: bytes.Repeat([]byte("x"), 100)}
	}
	add(t, store, batch...)
	scan := func(options ...estore.ReadOption) float64 {
		return testing.AllocsPerRun(5, func() {
			n := 0
			for event, err := range store.Read(ctx, 0, all, options...) {
				must(t, err)
				n += len(event.Data)
			}
			equal(t, n, 1_000_000)
		})
	}
	// What a read needs by itself is little, and the same for any number of events; copying takes one piece of memory for each batch.
	lending, copying := scan(estore.Borrow()), scan()
	batches := 0.0
	i, err := store.Iter(0, all)
	must(t, err)
	for events, err := i.NextBatch(ctx); len(events) > 0; events, err = i.NextBatch(ctx) {
		must(t, err)
		batches++
	}
	i.Close()
	t.Logf("%.0f allocations lending, %.0f copying %.0f batches", lending, copying, batches)
	if lending > 20 {
		t.Errorf("%.0f allocations for lending 10,000 events", lending)
	}
	if copying > lending+batches+1 {
		t.Errorf("%.0f allocations for copying %.0f batches", copying, batches)
	}
	small := batch[:100]
	if n := testing.AllocsPerRun(10, func() { add(t, store, small...) }); n > 1 {
		t.Errorf("%.0f allocations for an append", n)
	}
}
