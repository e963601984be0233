package estore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"estore"
)

// The next n events of a tail.
func take(t testing.TB, store *estore.Store, after uint64, n int) []string {
	t.Helper()
	texts := []string{}
	for event, err := range store.Tail(ctx, after) {
		must(t, err)
		texts = append(texts, string(event.Data))
		if len(texts) == n {
			break
		}
	}
	return texts
}

func TestATailGivesEventsAsTheyArrived(t *testing.T) {
	store := open(t, estore.Grace(10), estore.FileSize(1000*time.Nanosecond))
	add(t, store, at(5000, "a"), at(5001, "b"))
	add(t, store, at(7, "late"))
	same(t, take(t, store, 0, 3), []string{"a", "b", "late"})
	same(t, take(t, store, 1, 2), []string{"b", "late"})
	_, err := store.Compact(ctx, 0, all, nil)
	must(t, err)
	add(t, store, at(6, "later"))
	same(t, take(t, store, 2, 2), []string{"late", "later"})
}

func TestATailWaitsAndEndsWithItsContext(t *testing.T) {
	store := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	before := estore.OpenHandles()
	seen := make(chan string)
	go func() {
		defer close(seen)
		for event, err := range store.Tail(ctx, 0) {
			if err != nil {
				t.Error(err)
			}
			seen <- string(event.Data)
		}
	}()
	for i := range 100 {
		add(t, store, at(uint64(i), fmt.Sprint(i)))
		equal(t, <-seen, fmt.Sprint(i))
	}
	cancel()
	_, more := <-seen
	equal(t, more, false)
	equal(t, estore.OpenHandles(), before)
}

func TestATailEndsWithItsStore(t *testing.T) {
	store, err := estore.Open(t.TempDir() + "/events")
	must(t, err)
	add(t, store, at(1, "a"))
	tail, err := store.TailIter(0)
	must(t, err)
	seen := make(chan error)
	go func() {
		defer close(seen)
		for _, err := range store.Tail(ctx, 0) {
			seen <- err
		}
	}()
	must(t, <-seen)
	must(t, store.Close())
	err, more := <-seen
	must(t, err)
	equal(t, more, false)
	// What is left is given first.
	batch, err := tail.NextBatch(ctx)
	must(t, err)
	equal(t, string(batch[0].Data), "a")
	_, err = tail.NextBatch(ctx)
	equal(t, errors.Is(err, estore.ErrClosed), true)
	tail.Close()
	for _, err := range store.Tail(ctx, 0) {
		equal(t, errors.Is(err, estore.ErrClosed), true)
	}
}

func TestEachCallOfATailHasItsContext(t *testing.T) {
	store := open(t)
	tail, err := store.TailIter(0, estore.Borrow())
	must(t, err)
	defer tail.Close()
	for range 50 {
		short, cancel := context.WithTimeout(ctx, time.Microsecond)
		_, err = tail.NextBatch(short)
		equal(t, err, context.DeadlineExceeded)
		cancel()
		seq := add(t, store, at(1, "one"), at(2, "two"))
		batch, err := tail.NextBatch(ctx)
		must(t, err)
		equal(t, len(batch), 2)
		equal(t, string(batch[1].Data), "two")
		last, err := tail.LastSeq()
		must(t, err)
		equal(t, last, seq)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err = tail.NextBatch(done)
	equal(t, err, context.Canceled)
}

func TestClosingATailEndsWaiting(t *testing.T) {
	store := open(t)
	tail, err := store.TailIter(0)
	must(t, err)
	var group sync.WaitGroup
	for range 3 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := tail.NextBatch(ctx); !errors.Is(err, estore.ErrClosed) {
				t.Error(err)
			}
		}()
	}
	tail.Close()
	group.Wait()
	tail.Close()
	_, err = tail.LastSeq()
	equal(t, errors.Is(err, estore.ErrClosed), true)
	var none *estore.TailIter
	none.Close()
	_, err = none.NextBatch(ctx)
	equal(t, errors.Is(err, estore.ErrClosed), true)
	_, err = none.LastSeq()
	equal(t, errors.Is(err, estore.ErrClosed), true)
}

func TestAGapIsToldOnceAndTheTailGoesOn(t *testing.T) {
	store := open(t, estore.FileSize(1000*time.Nanosecond))
	add(t, store, at(1, "gone"), at(5000, "kept"))
	must(t, store.DeleteBefore(5000))
	var seen []string
	gaps := 0
	for event, err := range store.Tail(ctx, 0) {
		if errors.Is(err, estore.ErrGap) {
			gaps++
			continue
		}
		must(t, err)
		if seen = append(seen, string(event.Data)); string(event.Data) == "kept" {
			add(t, store, at(5001, "new"))
		} else {
			break
		}
	}
	same(t, seen, []string{"kept", "new"})
	equal(t, gaps, 1)
}

func TestWhatIsNoTailIsRefused(t *testing.T) {
	store := open(t)
	for _, option := range []estore.ReadOption{estore.Reverse(), estore.Limit(1), estore.Last(1), estore.Salvage(), estore.Limit(0)} {
		_, err := store.TailIter(0, nil, option)
		equal(t, errors.Is(err, estore.ErrInvalid), true)
	}
	for _, err := range store.Tail(ctx, all) {
		equal(t, errors.Is(err, estore.ErrInvalid), true)
	}
}

func TestAForgottenTailIsClosed(t *testing.T) {
	store := open(t)
	before := estore.OpenHandles()
	forgottenOnPurpose.Add(1)
	_, err := store.TailIter(0)
	must(t, err)
	collectUntil(t, before)
}

// Hundreds of goroutines wait, of an efile, and a batch tells them all.
func TestManyWait(t *testing.T) {
	file, err := estore.OpenEfile(t.TempDir() + "/events")
	must(t, err)
	defer file.Close()
	var group sync.WaitGroup
	for range 300 {
		group.Add(1)
		go func() {
			defer group.Done()
			tail, err := file.TailIter(0)
			if err != nil {
				t.Error(err)
				return
			}
			defer tail.Close()
			for seen := 0; seen < 20; {
				batch, err := tail.NextBatch(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				seen += len(batch)
			}
		}()
	}
	for i := range 10 {
		_, err := file.Append(at(uint64(i), "a"), at(uint64(i), "b"))
		must(t, err)
	}
	group.Wait()
}

// As another process: tails the store in the environment until it has seen so many events.
func TestHelperTails(t *testing.T) {
	path, want := os.Getenv("ESTORE_TEST_TAIL"), os.Getenv("ESTORE_TEST_EVENTS")
	if path == "" {
		t.Skip("not asked for")
	}
	n, err := strconv.Atoi(want)
	must(t, err)
	store := openAt(t, path, estore.ReadOnly())
	next := uint64(1)
	for event, err := range store.Tail(ctx, 0, estore.Borrow()) {
		must(t, err)
		equal(t, event.Seq, next)
		if next++; next > uint64(n) {
			return
		}
	}
}

func TestATailInAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	store := openAt(t, path, estore.FileSize(1000*time.Nanosecond))
	const n = 2000
	other := exec.Command(os.Args[0], "-test.run", "^TestHelperTails$", "-test.v")
	other.Env = append(os.Environ(), "ESTORE_TEST_TAIL="+path, "ESTORE_TEST_EVENTS="+strconv.Itoa(n))
	output := make(chan error)
	go func() {
		out, err := other.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		output <- err
	}()
	for i := range n {
		add(t, store, at(uint64(i*37%9000), "event"))
	}
	must(t, <-output)
}
