package estore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"estore"
)

// Two stores with different settings, in which some events are the same.
func twoReplicas(t *testing.T) (here, there *estore.Store) {
	here = open(t)
	there = open(t, estore.FileSize(10*time.Second), estore.Grace(0))
	add(t, here, at(1, "a"), at(2, "b"))
	add(t, there, at(3, "c"), at(2, "b"), at(2, "b"))
	return here, there
}

func TestDigestsTellWhereStoresDiffer(t *testing.T) {
	here, there := twoReplicas(t)
	add(t, here, at(95, "z"))
	one, err := here.Digest(0, 99, 10)
	must(t, err)
	other, err := there.Digest(0, 99, 10)
	must(t, err)
	equal(t, len(one.Buckets), 10)
	equal(t, one.Buckets[0].Count, 2)
	equal(t, other.Buckets[0].Count, 2)
	ranges, err := one.Differences(other)
	must(t, err)
	same(t, ranges, []estore.Range{{From: 0, To: 9}, {From: 90, To: 99}})
	ranges, err = one.Differences(one)
	must(t, err)
	same(t, ranges, nil)

	// They are plain data.
	text, err := json.Marshal(other)
	must(t, err)
	var sent estore.Digest
	must(t, json.Unmarshal(text, &sent))
	ranges, err = other.Differences(sent)
	must(t, err)
	same(t, ranges, nil)

	for _, width := range []time.Duration{-1, 0, 1} {
		_, err := here.Digest(0, all, width)
		isError(t, err, estore.ErrInvalid)
	}
	_, err = here.Digest(9, 0, 1)
	isError(t, err, estore.ErrRange)
	whole, err := here.Digest(0, all, 1<<62)
	must(t, err)
	equal(t, len(whole.Buckets), 4)
	for _, wrong := range []estore.Digest{whole, {}, {From: 0, To: 99, Width: 10}, {From: 0, To: 98, Width: 10, Buckets: one.Buckets}} {
		_, err = one.Differences(wrong)
		isError(t, err, estore.ErrInvalid)
	}
	for _, wrong := range []estore.Digest{{}, {Width: -1}, {To: 99, Width: 1}, {To: 1 << 40, Width: 1}} {
		_, err = wrong.Differences(wrong)
		isError(t, err, estore.ErrInvalid)
	}
}

func TestRepairBringsWhatLacks(t *testing.T) {
	here, there := twoReplicas(t)
	done, err := here.Repair(ctx, there, 0, all, estore.RepairOptions{})
	must(t, err)
	equal(t, done.To, estore.Copied{Compared: 3, Copied: 1, Skipped: 2})
	equal(t, done.From.Copied, 0)
	same(t, texts(t, here.Read(ctx, 0, all)), []string{"a", "b", "c"})
	done, err = here.Repair(ctx, there, 0, all, estore.RepairOptions{BothWays: true})
	must(t, err)
	equal(t, done.To.Copied, 0)
	equal(t, done.From.Copied, 1)
	same(t, texts(t, there.Read(ctx, 0, all)), []string{"a", "b", "b", "c"})

	must(t, there.DeleteBefore(2))
	done, err = there.Repair(ctx, here, 0, all, estore.RepairOptions{})
	must(t, err)
	equal(t, done.To, estore.Copied{Compared: 3, Skipped: 2, Expired: 1})

	// Of a store by itself, and in a range.
	_, err = here.Repair(ctx, here, 0, all, estore.RepairOptions{BothWays: true})
	must(t, err)
	done, err = here.Repair(ctx, there, 3, 3, estore.RepairOptions{})
	must(t, err)
	equal(t, done.To, estore.Copied{Compared: 1, Skipped: 1})
	_, err = here.Repair(ctx, there, 3, 2, estore.RepairOptions{})
	isError(t, err, estore.ErrRange)
	_, err = here.Repair(ctx, nil, 0, all, estore.RepairOptions{})
	isError(t, err, estore.ErrClosed)
}

func TestRepairStopsAndGoesOn(t *testing.T) {
	here, there := open(t), numbered(t, 20000)
	var last uint64
	stopping, cancel := context.WithCancel(ctx)
	done, err := here.Repair(stopping, there, 0, all, estore.RepairOptions{Progress: func(done, events uint64) {
		if done < last || done > events || events != 20000 {
			t.Errorf("%d after %d, of %d", done, last, events)
		}
		last = done
		cancel()
	}})
	if !errors.Is(err, context.Canceled) || done.To.Copied == 0 || done.To.Copied == 20000 {
		t.Fatalf("%v, %v", done, err)
	}
	func() {
		defer func() { equal(t, recover(), any("enough")) }()
		_, _ = here.Repair(ctx, there, 0, all, estore.RepairOptions{Progress: func(uint64, uint64) { panic("enough") }})
	}()
	if _, err = here.Repair(stopping, there, 0, all, estore.RepairOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	_, err = here.Repair(ctx, there, 0, all, estore.RepairOptions{})
	must(t, err)
	n, err := here.Count(0, all)
	must(t, err)
	equal(t, n, 20000)
}

func TestRepairLeavesDamageOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	there, err := estore.Open(path)
	must(t, err)
	for i := range uint64(3) {
		add(t, there, at(i, fmt.Sprint("event", i)))
	}
	must(t, there.Close())
	log := filepath.Join(path, "0-0.estore")
	bytes, err := os.ReadFile(log)
	must(t, err)
	bytes[64+70+66] ^= 1
	must(t, os.WriteFile(log, bytes, 0o600))

	here, there := open(t), openAt(t, path)
	done, err := here.Repair(ctx, there, 0, all, estore.RepairOptions{})
	must(t, err)
	equal(t, len(done.Gaps), 1)
	equal(t, done.Gaps[0].Path, log)
	equal(t, done.Gaps[0].FirstTime, 1)
	same(t, texts(t, here.Read(ctx, 0, all)), []string{"event0", "event2"})

	// The other way round what was lost comes back, beside what is damaged; and messages tell the name of the file.
	add(t, here, at(1, "event1"))
	done, err = there.Repair(ctx, here, 0, all, estore.RepairOptions{})
	must(t, err)
	equal(t, done.To.Copied, 1)
	equal(t, len(done.Gaps), 0)
	equal(t, len(done.OwnGaps), 1)
	equal(t, done.OwnGaps[0].Path, log)
	same(t, texts(t, there.Read(ctx, 0, all, estore.Salvage())), []string{"event0", "event1", "event2"})
	exchange, err := here.Exchange(0, all, estore.RepairOptions{})
	must(t, err)
	defer exchange.Close()
	done, err = exchange.Run(ctx, func(_ context.Context, message []byte) ([]byte, error) { return there.Answer(message) })
	must(t, err)
	equal(t, len(done.Gaps), 1)
	equal(t, len(done.OwnGaps), 0)
	equal(t, done.Gaps[0].Path, "0-0.estore")
}

func TestExchange(t *testing.T) {
	here, there := twoReplicas(t)
	exchange, err := here.Exchange(0, all, estore.RepairOptions{BothWays: true})
	must(t, err)
	defer exchange.Close()
	messages := 0
	unreachable := errors.New("unreachable")
	send := func(_ context.Context, message []byte) ([]byte, error) {
		messages++
		if messages%2 == 1 {
			return nil, unreachable
		}
		changed := append([]byte(nil), message...)
		changed[len(changed)/2] ^= 1
		if _, err := there.Answer(changed); !errors.Is(err, estore.ErrCorrupt) {
			t.Error(err)
		}
		reply, err := there.Answer(message)
		if err == nil {
			isError(t, exchange.Reply(changed), estore.ErrCorrupt)
			isError(t, exchange.Reply(reply[1:]), estore.ErrCorrupt)
			isError(t, exchange.Reply(nil), estore.ErrCorrupt)
		}
		return reply, err
	}
	for {
		done, err := exchange.Run(ctx, send)
		if err == nil {
			equal(t, done.To.Copied, 1)
			equal(t, done.From.Copied, 1)
			equal(t, len(done.Gaps), 0)
			break
		}
		if !errors.Is(err, unreachable) {
			t.Fatal(err)
		}
	}
	same(t, texts(t, here.Read(ctx, 0, all)), []string{"a", "b", "c"})
	same(t, texts(t, there.Read(ctx, 0, all)), []string{"a", "b", "b", "c"})
	message, err := exchange.Request()
	must(t, err)
	equal(t, len(message), 0)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := exchange.Run(cancelled, send); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}

	exchange.Close()
	exchange.Close()
	isError(t, onlyError(exchange.Request()), estore.ErrClosed)
	isError(t, exchange.Reply(nil), estore.ErrClosed)
	isError(t, onlyError(exchange.Repaired()), estore.ErrClosed)
	isError(t, onlyError(exchange.Run(ctx, send)), estore.ErrClosed)
	isError(t, onlyError(new(estore.Exchange).Request()), estore.ErrClosed)
	isError(t, onlyError((*estore.Exchange)(nil).Request()), estore.ErrClosed)
	new(estore.Exchange).Close()
	(*estore.Exchange)(nil).Close()
	isError(t, onlyError(here.Exchange(2, 1, estore.RepairOptions{})), estore.ErrRange)
	isError(t, onlyError(there.Answer([]byte("nonsense"))), estore.ErrCorrupt)
	isError(t, onlyError(there.Answer(nil)), estore.ErrCorrupt)

	// Read only, it answers, but takes nothing.
	beside := openAt(t, there.Path(), estore.ReadOnly())
	add(t, here, at(9, "new"))
	exchange, err = here.Exchange(0, all, estore.RepairOptions{BothWays: true})
	must(t, err)
	defer exchange.Close()
	_, err = exchange.Run(ctx, func(_ context.Context, message []byte) ([]byte, error) { return beside.Answer(message) })
	isError(t, err, estore.ErrReadOnly)
}

func TestAnExchangeEndsWithItsStore(t *testing.T) {
	here, there := twoReplicas(t)
	exchange, err := here.Exchange(0, all, estore.RepairOptions{})
	must(t, err)
	defer exchange.Close()
	must(t, here.Close())
	_, err = exchange.Run(ctx, func(_ context.Context, message []byte) ([]byte, error) { return there.Answer(message) })
	isError(t, err, estore.ErrClosed)
}

// An exchange of a store that nobody else holds.
func exchangeOf(t *testing.T) *estore.Exchange {
	store, err := estore.Open(t.TempDir() + "/events")
	must(t, err)
	forgottenOnPurpose.Add(1)
	exchange, err := store.Exchange(0, all, estore.RepairOptions{})
	must(t, err)
	return exchange
}

func TestAnExchangeKeepsItsStore(t *testing.T) {
	before := estore.OpenHandles()
	_, there := twoReplicas(t)
	exchange := exchangeOf(t)
	done, err := exchange.Run(ctx, func(_ context.Context, message []byte) ([]byte, error) {
		runtime.GC()
		runtime.GC()
		return there.Answer(message)
	})
	must(t, err)
	equal(t, done.To.Copied, 2)
	exchange.Close()
	exchange = nil
	collectUntil(t, before+2)
}

// Replicas in a ring, each of which repairs itself from the next one while events are appended to all: in the end all hold the same.
func TestReplicasAgreeWhileEventsCome(t *testing.T) {
	var ring [3]*estore.Store
	for i := range ring {
		ring[i] = open(t)
	}
	var wait sync.WaitGroup
	for i, store := range ring {
		next := ring[(i+1)%len(ring)]
		wait.Add(2)
		go func() {
			defer wait.Done()
			for n := range uint64(300) {
				if _, err := store.Append(at(n*3+uint64(i), fmt.Sprint(i, n))); err != nil {
					t.Error(err)
				}
			}
		}()
		go func() {
			defer wait.Done()
			for range 5 {
				exchange, err := store.Exchange(0, all, estore.RepairOptions{BothWays: true})
				if err != nil {
					t.Error(err)
					return
				}
				_, err = exchange.Run(ctx, func(_ context.Context, message []byte) ([]byte, error) { return next.Answer(message) })
				if err != nil {
					t.Error(err)
				}
				exchange.Close()
			}
		}()
	}
	wait.Wait()
	for range 2 {
		for i, store := range ring {
			_, err := store.Repair(ctx, ring[(i+1)%len(ring)], 0, all, estore.RepairOptions{BothWays: true})
			must(t, err)
		}
	}
	for _, store := range ring {
		n, err := store.Count(0, all)
		must(t, err)
		equal(t, n, 900)
	}
}

func TestParcels(t *testing.T) {
	folder := t.TempDir()
	from, err := estore.OpenEfile(folder + "/from")
	must(t, err)
	to, err := estore.OpenEfile(folder + "/to")
	must(t, err)
	defer func() { must(t, to.Close()) }()
	for i := range uint64(10) {
		_, err := from.Append(at(i, "some data"))
		must(t, err)
	}
	export, err := from.Export(1, all, estore.Limit(8))
	must(t, err)
	seq, err := export.SnapshotSeq()
	must(t, err)
	equal(t, seq, 10)
	isError(t, onlyError(export.Next(0)), estore.ErrInvalid)

	// An export may outlive its store.
	var parcels [][]byte
	for parcel, err := range from.Parcels(ctx, 0, 3, 1) {
		must(t, err)
		parcels = append(parcels, parcel)
	}
	equal(t, len(parcels), 4)
	must(t, from.Close())
	for {
		parcel, err := export.Next(100)
		must(t, err)
		if parcel == nil {
			break
		}
		parcels = append(parcels, parcel)
	}
	gaps, err := export.Gaps()
	must(t, err)
	equal(t, len(gaps), 0)
	export.Close()
	export.Close()
	isError(t, onlyError(export.Next(1)), estore.ErrClosed)
	isError(t, onlyError(export.SnapshotSeq()), estore.ErrClosed)
	isError(t, onlyError(export.Gaps()), estore.ErrClosed)
	isError(t, onlyError((*estore.Export)(nil).Next(1)), estore.ErrClosed)
	(*estore.Export)(nil).Close()

	stored := uint64(0)
	for _, parcel := range append(parcels, parcels...) {
		done, err := to.Import(parcel)
		must(t, err)
		stored += done.Stored
	}
	equal(t, stored, 9)
	for i := range parcels[0] {
		changed := append([]byte(nil), parcels[0]...)
		changed[i] ^= 4
		isError(t, onlyError(to.Import(changed)), estore.ErrCorrupt)
		isError(t, onlyError(to.Import(parcels[0][:i])), estore.ErrCorrupt)
	}
	n, err := to.Count(0, all)
	must(t, err)
	equal(t, n, 9)
	for _, err := range to.Parcels(ctx, 3, 1, 1<<20) {
		isError(t, err, estore.ErrRange)
	}
	for _, err := range to.Parcels(ctx, 0, all, 1<<20, estore.Limit(0)) {
		isError(t, err, estore.ErrInvalid)
	}
	for range to.Parcels(ctx, 0, all, 1) {
		break
	}
}

func TestASalvagingExportTellsItsGaps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	store, err := estore.Open(path)
	must(t, err)
	add(t, store, at(1, "one"))
	add(t, store, at(2, "two"))
	must(t, store.Close())
	log := filepath.Join(path, "0-0.estore")
	bytes, err := os.ReadFile(log)
	must(t, err)
	bytes[64+66] ^= 1
	must(t, os.WriteFile(log, bytes, 0o600))
	store = openAt(t, path)
	for parcel, err := range store.Parcels(ctx, 0, all, 1<<20) {
		isError(t, err, estore.ErrCorrupt)
		equal(t, len(parcel), 0)
	}
	var gaps []estore.Gap
	copied := open(t)
	for parcel, err := range store.Parcels(ctx, 0, all, 1<<20, estore.SalvageInto(&gaps)) {
		must(t, err)
		_, err = copied.Import(parcel)
		must(t, err)
	}
	equal(t, len(gaps), 1)
	same(t, texts(t, copied.Read(ctx, 0, all)), []string{"two"})
}
