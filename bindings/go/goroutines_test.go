package estore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"estore"
)

// Calls everything on one store from many goroutines, and closes it among them: what was called before is answered, what comes later is
// told that it is closed, and nothing else happens.
func TestClosingAmongOthers(t *testing.T) {
	for round := range 8 {
		folder := t.TempDir()
		path, copied := folder+"/events", folder+"/copy"
		store := openAt(t, path, estore.FileSize(100), estore.Process())
		add(t, store, at(0, "first"))
		var stored atomic.Uint64
		stored.Store(1)
		var group sync.WaitGroup
		hammer := func(call func(n int) error) {
			group.Add(1)
			go func() {
				defer group.Done()
				for n := 0; ; n++ {
					err := call(n)
					if errors.Is(err, estore.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
				}
			}()
		}
		for worker := range 2 {
			hammer(func(n int) error {
				_, err := store.Append(at(uint64(n%500), fmt.Sprint(worker)), at(uint64(n%70), "x"))
				if err == nil {
					stored.Add(2)
				}
				return err
			})
		}
		hammer(func(n int) error {
			done, err := store.AppendAbsent(at(uint64(n), "absent"))
			stored.Add(done.Stored)
			return err
		})
		hammer(func(int) error {
			last := uint64(0)
			for event, err := range store.Read(ctx, 0, all) {
				if err != nil {
					return err
				}
				if event.Time < last {
					return fmt.Errorf("%d after %d", event.Time, last)
				}
				last = event.Time
			}
			return nil
		})
		hammer(func(int) error { return onlyError(store.Count(0, all)) })
		hammer(func(int) error { return onlyError(store.Stats()) })
		hammer(func(int) error { return errors.Join(onlyError(store.Sync()), store.Tick()) })
		hammer(func(int) error { return onlyError(store.Verify(ctx)) })
		hammer(func(int) error { return onlyError(store.Compact(ctx, 0, all, nil)) })
		hammer(func(int) error { return onlyError(store.Snapshot(ctx, copied, nil)) })
		hammer(func(int) error { return onlyError(store.Retain(estore.Retention{MaxAge: 1e12, DryRun: true})) })
		for stored.Load() < 100 {
			_, _ = store.LastSeq()
		}
		// Two close at once; both come back when it is closed.
		group.Add(2)
		for range 2 {
			go func() {
				defer group.Done()
				if err := store.Close(); err != nil {
					t.Error(err)
				}
				if _, err := store.LastSeq(); !errors.Is(err, estore.ErrClosed) {
					t.Errorf("after closing: %v", err)
				}
			}()
		}
		group.Wait()
		if t.Failed() {
			return
		}
		again := openAt(t, path)
		count, err := again.Count(0, all)
		must(t, err)
		equal(t, count, stored.Load())
		must(t, again.Close())
	}
}

func TestSeveralTakeTurnsAtAnIterator(t *testing.T) {
	store := numbered(t, 5000)
	for round := range 10 {
		i, err := store.Iter(0, all)
		must(t, err)
		var group sync.WaitGroup
		var total atomic.Int64
		for worker := range 4 {
			group.Add(1)
			go func() {
				defer group.Done()
				for {
					// The slice is the iterator's, so only one may look at it; this counts what it asked for.
					_, err := i.NextBatch(ctx)
					if errors.Is(err, estore.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					if total.Add(1) > 10 && worker == round%4 {
						i.Close()
					}
				}
			}()
		}
		group.Wait()
		i.Close()
	}
}

func TestAVerifyThatIsCancelledEnds(t *testing.T) {
	store := numbered(t, 100)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := store.Verify(cancelled); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
