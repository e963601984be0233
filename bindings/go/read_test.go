package estore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"estore"
)

// A store of n events, whose data are their times as text.
func numbered(t testing.TB, n int, options ...estore.Option) *estore.Store {
	t.Helper()
	store := open(t, options...)
	batch := make([]estore.Event, n)
	for i := range batch {
		batch[i] = at(uint64(i), fmt.Sprint(i))
	}
	add(t, store, batch...)
	return store
}

func TestReverseLimitAndLast(t *testing.T) {
	store := numbered(t, 5)
	for _, c := range []struct {
		options []estore.ReadOption
		want    []string
	}{
		{nil, []string{"0", "1", "2", "3", "4"}},
		{[]estore.ReadOption{nil, estore.Reverse()}, []string{"4", "3", "2", "1", "0"}},
		{[]estore.ReadOption{estore.Limit(2)}, []string{"0", "1"}},
		{[]estore.ReadOption{estore.Reverse(), estore.Limit(2)}, []string{"4", "3"}},
		{[]estore.ReadOption{estore.Last(2)}, []string{"3", "4"}},
		{[]estore.ReadOption{estore.Last(2), estore.Reverse()}, []string{"4", "3"}},
		{[]estore.ReadOption{estore.Last(9)}, []string{"0", "1", "2", "3", "4"}},
		{[]estore.ReadOption{estore.Salvage()}, []string{"0", "1", "2", "3", "4"}},
	} {
		same(t, texts(t, store.Read(ctx, 0, all, c.options...)), c.want)
		same(t, texts(t, store.Read(ctx, 0, all, append(c.options, estore.Borrow())...)), c.want)
	}
}

func TestALoopThatBreaksFreesItsReader(t *testing.T) {
	store := numbered(t, 1000)
	before := estore.OpenHandles()
	for event, err := range store.Read(ctx, 0, all) {
		must(t, err)
		if event.Time == 300 {
			equal(t, estore.OpenHandles(), before+1)
			break
		}
	}
	equal(t, estore.OpenHandles(), before)
}

// A panic that leaves the loop leaves its reader to the collector: a deferred call would make every event cost several times as much.
func TestALoopThatPanicsLeavesItsReaderToTheCollector(t *testing.T) {
	store := numbered(t, 1000)
	before := estore.OpenHandles()
	func() {
		defer func() { equal(t, recover(), any("in the loop")) }()
		forgottenOnPurpose.Add(1)
		for range store.Read(ctx, 0, all) {
			panic("in the loop")
		}
	}()
	collectUntil(t, before)
}

func TestEachLoopReadsAnew(t *testing.T) {
	store := numbered(t, 2)
	events := store.Read(ctx, 0, all)
	equal(t, len(texts(t, events)), 2)
	add(t, store, at(7, "more"))
	equal(t, len(texts(t, events)), 3)
}

func TestAnIteratorShowsOneMoment(t *testing.T) {
	store := numbered(t, 300)
	i, err := store.Iter(0, all)
	must(t, err)
	defer i.Close()
	add(t, store, at(5, "later"))
	must(t, store.DeleteBefore(100))
	seq, err := i.SnapshotSeq()
	must(t, err)
	equal(t, seq, 300)
	n := 0
	for {
		events, err := i.NextBatch(ctx)
		must(t, err)
		if len(events) == 0 {
			break
		}
		n += len(events)
	}
	equal(t, n, 300)
	events, err := i.NextBatch(ctx)
	must(t, err)
	equal(t, len(events), 0)
}

func TestAnIteratorOutlivesItsStore(t *testing.T) {
	for _, borrow := range []bool{false, true} {
		var options []estore.ReadOption
		if borrow {
			options = append(options, estore.Borrow())
		}
		store := numbered(t, 2000)
		i, err := store.Iter(0, all, options...)
		must(t, err)
		first, err := i.NextBatch(ctx)
		must(t, err)
		must(t, store.Close())
		next := uint64(0)
		for events := first; len(events) > 0; {
			for _, event := range events {
				equal(t, event.Time, next)
				equal(t, string(event.Data), fmt.Sprint(next))
				next++
			}
			events, err = i.NextBatch(ctx)
			must(t, err)
		}
		equal(t, next, 2000)
		i.Close()
		i.Close()
		isError(t, onlyError(i.NextBatch(ctx)), estore.ErrClosed)
		isError(t, onlyError(i.SnapshotSeq()), estore.ErrClosed)
		isError(t, onlyError(i.Gaps()), estore.ErrClosed)
	}
}

func TestHandlesThatNeverWereOpen(t *testing.T) {
	var none estore.Store
	var zero estore.Efile
	var noIter *estore.Iter
	for _, err := range []error{
		onlyError(none.Append(at(1, "x"))), onlyError(zero.Append(at(1, "x"))), onlyError(none.Splits(0, 1)), none.DeleteBefore(1), onlyError(none.Retain(estore.Retention{})),
		onlyError(zero.Count(0, 1)), onlyError(noIter.NextBatch(ctx)), onlyError(new(estore.Iter).Gaps()), onlyError(none.Iter(0, 1)),
	} {
		isError(t, err, estore.ErrClosed)
	}
	must(t, none.Close())
	must(t, zero.Close())
	noIter.Close()
	new(estore.Iter).Close()
}

func TestWhatIsReadIsTheCallersOwn(t *testing.T) {
	store := numbered(t, 600)
	var kept []estore.Event
	for event, err := range store.Read(ctx, 0, all) {
		must(t, err)
		kept = append(kept, event)
	}
	// One event's data can be appended to without touching the next one's.
	_ = append(kept[0].Data, "xxxxxxxx"...)
	for i, event := range kept {
		equal(t, string(event.Data), fmt.Sprint(i))
	}
}

func TestWhatIsAppendedMayBeChangedAfterwards(t *testing.T) {
	store := open(t)
	for _, n := range []int{10, 5000} {
		data := bytes.Repeat([]byte("a"), n)
		add(t, store, estore.Event{Time: 1, Data: data})
		clear(data)
	}
	for event, err := range store.Read(ctx, 0, all) {
		must(t, err)
		if slices.Contains(event.Data, 0) {
			t.Fatal("the store has what was written into the data afterwards")
		}
	}
}

func TestAContextEndsAReadAtAnyBatch(t *testing.T) {
	store := numbered(t, 2000)
	batches := 0
	for stop := 0; ; stop++ {
		// Cancelled at the first event of batch `stop`, while the events of that batch are handed out.
		ctx, cancel := context.WithCancel(context.Background())
		i, err := store.Iter(0, all)
		must(t, err)
		at := 0
		for {
			if at == stop {
				cancel()
			}
			events, err := i.NextBatch(ctx)
			if at == stop {
				if !errors.Is(err, context.Canceled) || events != nil {
					t.Fatalf("batch %d: %v", at, err)
				}
				break
			}
			must(t, err)
			if len(events) == 0 {
				batches = at
				break
			}
			at++
		}
		// Nothing was taken away by the call that was refused.
		if at == stop {
			for {
				events, err := i.NextBatch(context.Background())
				must(t, err)
				if len(events) == 0 {
					break
				}
				if last := events[len(events)-1].Time; last == 1999 {
					break
				}
			}
		}
		i.Close()
		cancel()
		if batches > 0 {
			break
		}
	}
	if batches < 4 {
		t.Fatalf("only %d batches", batches)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	var failed error
	for _, err := range store.Read(ctx, 0, all) {
		if err != nil {
			failed = err
			break
		}
		n++
		cancel()
	}
	if !errors.Is(failed, context.Canceled) || n == 0 || n == 2000 {
		t.Fatalf("%d events, then %v", n, failed)
	}
	for event, err := range store.Read(ctx, 0, all) {
		if !errors.Is(err, context.Canceled) || event.Seq != 0 {
			t.Fatalf("got %+v, %v", event, err)
		}
	}
}
