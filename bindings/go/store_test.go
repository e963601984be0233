package estore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"estore"
)

func TestEventsComeBackInOrder(t *testing.T) {
	store := open(t)
	equal(t, add(t, store, at(3000, "third"), at(1000, "first"), at(2000, "second")), 3)
	equal(t, add(t, store, at(1000, "first again")), 4)
	same(t, texts(t, store.Read(ctx, 0, all)), []string{"first", "first again", "second", "third"})
	same(t, texts(t, store.Read(ctx, 1000, 2000)), []string{"first", "first again", "second"})
	for event, err := range store.Read(ctx, 3000, 3000) {
		must(t, err)
		if event.Time != 3000 || event.Seq != 1 || event.ID != 1 || string(event.Data) != "third" {
			t.Fatalf("got %+v", event)
		}
	}
}

func TestAnEfileDoesTheSame(t *testing.T) {
	path := t.TempDir() + "/file"
	file, err := estore.OpenEfile(path)
	must(t, err)
	defer file.Close()
	seq, err := file.Append(at(2, "b"), at(1, "a"))
	must(t, err)
	equal(t, seq, 2)
	done, err := file.AppendAbsent(at(2, "b"), at(3, "c"))
	must(t, err)
	equal(t, done, estore.Absent{LastSeq: 3, Stored: 1, Present: 1})
	same(t, texts(t, file.Read(ctx, 0, all, estore.Reverse())), []string{"c", "b", "a"})
	count, err := file.Count(2, 3)
	must(t, err)
	equal(t, count, 2)
	durable, err := file.Sync()
	must(t, err)
	equal(t, durable, 3)
	must(t, file.Tick())
	stats, err := file.Stats()
	must(t, err)
	equal(t, stats.Events, 3)
	equal(t, stats.FileSize, 0)
	report, err := file.Verify(ctx)
	must(t, err)
	equal(t, report.Events, 3)
	must(t, file.Close())
	must(t, estore.DestroyEfile(path))
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("it is still there: %v", err)
	}
}

func TestCompressing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	open := func(options ...estore.Option) *estore.Store {
		store, err := estore.Open(path, append(options, estore.NoCompaction())...)
		must(t, err)
		return store
	}
	compact := func(store *estore.Store) estore.Compacted {
		done, err := store.Compact(ctx, 0, all, nil)
		must(t, err)
		return done
	}
	store := open()
	var lines []string
	for i := range uint64(2000) {
		lines = append(lines, fmt.Sprintf("INFO request %d: GET /api/v1/items/%d", i, i%90))
		add(t, store, at(i, lines[i]))
	}
	plain := compact(store).BytesAfter
	must(t, store.Close())

	store = open(estore.Compression(estore.LZ4))
	if done := compact(store); done.BytesBefore != plain || done.BytesAfter >= plain/2 {
		t.Fatalf("%+v", done)
	}
	equal(t, compact(store), estore.Compacted{})
	same(t, texts(t, store.Read(ctx, 0, all)), lines)
	must(t, store.Close())

	store = open(estore.ReadOnly())
	same(t, texts(t, store.Read(ctx, 0, all)), lines)
	must(t, store.Close())

	store = open(estore.Compression(estore.CompressionNone))
	equal(t, compact(store).BytesAfter, plain)
	same(t, texts(t, store.Read(ctx, 0, all)), lines)
	must(t, store.Close())
	if _, err := estore.Open(path, estore.Compression(9)); !errors.Is(err, estore.ErrInvalid) || !strings.Contains(err.Error(), "Compression(9)") {
		t.Fatalf("%v for a compression that does not exist", err)
	}
}

func TestRetention(t *testing.T) {
	fill := func(store *estore.Store) {
		for chunk := range uint64(10) {
			add(t, store, at(chunk*1000+5, "early"), at(chunk*1000+995, "late in its chunk"))
		}
	}
	kept := func(store *estore.Store) (horizon, chunks uint64) {
		stats, err := store.Stats()
		must(t, err)
		return stats.Horizon, stats.Chunks
	}
	store := open(t, estore.FileSize(1000), estore.Grace(10), estore.NoBackground())
	fill(store)
	// One event of a broken clock.
	add(t, store, at(18_429_000_000_000_000_000, "2554"))
	none, err := store.Retain(estore.Retention{})
	must(t, err)
	equal(t, none, estore.Retained{})
	would, err := store.Retain(estore.Retention{MaxAge: 7000, DryRun: true})
	must(t, err)
	equal(t, would.Horizon, 2000)
	equal(t, would.Chunks, 2)
	equal(t, would.Events, 4)
	horizon, chunks := kept(store)
	equal(t, horizon, 0)
	equal(t, chunks, 11)
	did, err := store.Retain(estore.Retention{MaxAge: 7000})
	must(t, err)
	equal(t, did, would)
	horizon, chunks = kept(store)
	equal(t, horizon, 2000)
	equal(t, chunks, 9)
	did, err = store.Retain(estore.Retention{MaxBytes: 1})
	must(t, err)
	equal(t, did.Horizon, 9000)
	stats, err := store.Stats()
	must(t, err)
	equal(t, stats.RemovedChunks, 9)
	isError(t, onlyError(store.Retain(estore.Retention{MaxAge: -1})), estore.ErrInvalid)
	isError(t, onlyError(store.Retain(estore.Retention{MaxBytes: -1})), estore.ErrInvalid)

	limited := open(t, estore.FileSize(1000), estore.NoBackground(), estore.MaxAge(3000), estore.MaxBytes(1<<30))
	fill(limited)
	must(t, limited.Tick())
	horizon, chunks = kept(limited)
	equal(t, horizon, 6000)
	equal(t, chunks, 4)
	for _, limit := range []estore.Option{estore.MaxAge(1), estore.MaxBytes(1), estore.MaxAge(-1), estore.MaxBytes(-1)} {
		isError(t, onlyError(estore.OpenEfile(t.TempDir()+"/file", limit)), estore.ErrInvalid)
	}
}

func TestCompacting(t *testing.T) {
	store := open(t, estore.Grace(100), estore.NoCompaction())
	for _, time := range []uint64{1000, 1001, 5, 1002, 10} {
		add(t, store, at(time, fmt.Sprint(time)))
	}
	sorted := []string{"5", "10", "1000", "1001", "1002"}
	before, err := store.Stats()
	must(t, err)
	equal(t, before.ReconEvents, 2)
	equal(t, before.BacklogBytes, 0)

	cancelled, cancel := context.WithCancel(ctx)
	_, err = store.Compact(cancelled, 0, all, func(uint64, uint64) { cancel() })
	// It had been told already when it was cancelled, so it may have come to its end.
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, after it was cancelled", err)
	}
	if _, err := store.Compact(cancelled, 0, all, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, cancelled before it began", err)
	}
	add(t, store, at(7, "7"))
	sorted = slices.Insert(sorted, 1, "7")
	func() {
		defer func() { equal(t, recover(), any("enough")) }()
		_, _ = store.Compact(ctx, 0, all, func(uint64, uint64) { panic("enough") })
	}()
	same(t, texts(t, store.Read(ctx, 0, all)), sorted)

	var last uint64
	done, err := store.Compact(ctx, 0, all, func(done, events uint64) {
		if done < last || done > events || events != 6 {
			t.Errorf("%d after %d, of %d", done, last, events)
		}
		last = done
	})
	must(t, err)
	equal(t, last, 6)
	same(t, texts(t, store.Read(ctx, 0, all)), sorted)
	stats, err := store.Stats()
	must(t, err)
	equal(t, stats.ReconEvents, 0)
	equal(t, stats.LogBytes, done.BytesAfter)
	if done.BytesAfter >= done.BytesBefore {
		t.Fatalf("%+v", done)
	}
	again, err := store.Compact(ctx, 0, all, nil)
	must(t, err)
	equal(t, again, estore.Compacted{})
	if _, err := store.Compact(ctx, 2, 1, nil); !errors.Is(err, estore.ErrRange) {
		t.Fatalf("%v for a range that ends before it starts", err)
	}
	if _, err := store.Compact(ctx, 0, all, func(uint64, uint64) {}); err != nil {
		t.Fatal(err)
	}
	must(t, store.Close())
	if _, err := store.Compact(ctx, 0, all, nil); !errors.Is(err, estore.ErrClosed) {
		t.Fatalf("%v for a closed store", err)
	}
}

func TestSnapshots(t *testing.T) {
	folder := t.TempDir()
	path, copied := filepath.Join(folder, "events"), filepath.Join(folder, "copy")
	store := openAt(t, path, estore.NoCompaction())
	add(t, store, at(2, "b"), at(1, "a"))

	// Whatever stops it leaves nothing.
	cancelled, cancel := context.WithCancel(ctx)
	if _, err := store.Snapshot(cancelled, copied, func(uint64, uint64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, after it was cancelled", err)
	}
	func() {
		defer func() { equal(t, recover(), any("enough")) }()
		_, _ = store.Snapshot(ctx, copied, func(uint64, uint64) { panic("enough") })
	}()
	if _, err := os.Stat(copied); !os.IsNotExist(err) {
		t.Fatalf("something is there: %v", err)
	}

	var last uint64
	first, err := store.Snapshot(ctx, copied, func(done, events uint64) {
		if done < last || done > events || events != 2 {
			t.Errorf("%d after %d, of %d", done, last, events)
		}
		last = done
	})
	must(t, err)
	equal(t, last, 2)
	equal(t, first, estore.Snapshotted{Seq: 2, BytesCopied: first.BytesCopied})
	add(t, store, at(3, "c"))
	there := openAt(t, copied, estore.ReadOnly())
	same(t, texts(t, there.Read(ctx, 0, all)), []string{"a", "b"})
	must(t, there.Close())

	_, err = store.Compact(ctx, 0, all, nil)
	must(t, err)
	again, err := store.Snapshot(ctx, copied, nil)
	must(t, err)
	equal(t, again, estore.Snapshotted{Seq: 3, BytesLinked: again.BytesLinked})
	for dir, wrong := range map[string]error{
		filepath.Join(path, "in it"):       estore.ErrInvalid,
		folder:                             estore.ErrForeignFiles,
		"":                                 estore.ErrInvalid,
		filepath.Join(folder, "no", "one"): estore.ErrIO,
	} {
		if _, err := store.Snapshot(ctx, dir, nil); !errors.Is(err, wrong) {
			t.Errorf("%q: %v", dir, err)
		}
	}
	there = openAt(t, copied)
	add(t, there, at(4, "only here"))
	if _, err := store.Snapshot(ctx, copied, nil); !errors.Is(err, estore.ErrExists) {
		t.Fatalf("%v for a snapshot that is written to", err)
	}
	same(t, texts(t, there.Read(ctx, 0, all)), []string{"a", "b", "c", "only here"})
	must(t, there.Close())
	must(t, store.Close())
	if _, err := store.Snapshot(ctx, copied, nil); !errors.Is(err, estore.ErrClosed) {
		t.Fatalf("%v for a closed store", err)
	}
}

func TestAppendingNothingAndEmptyData(t *testing.T) {
	store := open(t)
	equal(t, add(t, store), 0)
	equal(t, add(t, store, []estore.Event{}...), 0)
	add(t, store, estore.Event{Time: 1}, estore.Event{Time: 2, Data: []byte{}}, at(3, "x"), estore.Event{})
	add(t, store, estore.Event{Time: 4, Data: nil})
	var lengths []int
	for event, err := range store.Read(ctx, 0, all) {
		must(t, err)
		if len(event.Data) == 0 && event.Data != nil {
			t.Fatal("empty data came back as something else than nil")
		}
		lengths = append(lengths, len(event.Data))
	}
	same(t, lengths, []int{0, 0, 0, 1, 0})
	// Nil and empty are the same event.
	done, err := store.AppendAbsent(estore.Event{Time: 1, Data: []byte{}})
	must(t, err)
	equal(t, done.Present, 1)
}

func TestShortAndLongDataInOneBatch(t *testing.T) {
	store := open(t)
	var batch []estore.Event
	lengths := []int{0, 1, 1023, 1024, 1025, 2000, 1, 1 << 20, 100, 4096}
	for i, n := range lengths {
		batch = append(batch, estore.Event{Time: uint64(i), Data: bytes.Repeat([]byte{byte(i + 1)}, n)})
	}
	add(t, store, batch...)
	i := 0
	for event, err := range store.Read(ctx, 0, all) {
		must(t, err)
		if !bytes.Equal(event.Data, batch[i].Data) {
			t.Fatalf("event %d: %d bytes came back for %d", i, len(event.Data), len(batch[i].Data))
		}
		i++
	}
	equal(t, i, len(lengths))
}

func TestAppendAbsentCounts(t *testing.T) {
	store := open(t, estore.FileSize(100))
	add(t, store, at(150, "a"), at(250, "b"))
	must(t, store.DeleteBefore(200))
	done, err := store.AppendAbsent(at(250, "b"), at(250, "c"), at(250, "c"), at(100, "gone"))
	must(t, err)
	equal(t, done, estore.Absent{LastSeq: 3, Stored: 1, Present: 2, Expired: 1})
}

func TestDeletingByTime(t *testing.T) {
	store := open(t, estore.FileSize(time.Hour))
	start := time.Unix(1_700_000_000, 0)
	for i := range 4 {
		event, err := estore.NewAt(start.Add(time.Duration(i)*time.Hour), []byte{'a' + byte(i)})
		must(t, err)
		add(t, store, event)
	}
	must(t, store.DeleteBeforeTime(start.Add(2*time.Hour)))
	same(t, texts(t, store.ReadTimes(ctx, start, start.Add(1000*time.Hour))), []string{"c", "d"})
	stats, err := store.Stats()
	must(t, err)
	equal(t, stats.Horizon, uint64(start.Add(2*time.Hour).UnixNano()))
}

func TestTheNumbersOfAStore(t *testing.T) {
	store := open(t, estore.FileSize(1000), estore.Grace(10), estore.Process())
	add(t, store, at(5, "a"), at(900, "b"), at(900, "B"), at(1500, "c"))
	add(t, store, at(100, "late"))
	stats, err := store.Stats()
	must(t, err)
	if stats.FileSize != 1000 || stats.Grace != 10 || stats.Chunks != 2 || stats.Events != 5 || stats.LateEvents != 1 ||
		stats.Oldest != 5 || stats.Newest != 1500 || stats.LastSeq != 5 || stats.LogBytes == 0 || stats.OpenLogs != 2 || stats.More != nil {
		t.Fatalf("got %+v", stats)
	}
	last, err := store.LastSeq()
	must(t, err)
	equal(t, last, 5)
	synced, err := store.Sync()
	must(t, err)
	equal(t, synced, 5)
	durable, err := store.DurableSeq()
	must(t, err)
	equal(t, durable, 5)
}

func TestSplitsTogetherAreTheRange(t *testing.T) {
	store := open(t, estore.FileSize(10))
	batch := make([]estore.Event, 70)
	for i := range batch {
		batch[i] = at(uint64(i)*10, "x")
	}
	add(t, store, batch...)
	pieces, err := store.Splits(0, 695)
	must(t, err)
	equal(t, len(pieces), 70)
	sum, next := uint64(0), uint64(0)
	for _, piece := range pieces {
		equal(t, piece.From, next)
		next = piece.To + 1
		n, err := store.Count(piece.From, piece.To)
		must(t, err)
		sum += n
	}
	equal(t, next, 696)
	equal(t, sum, 70)
	isError(t, onlyError(store.Splits(0, all)), estore.ErrRange)
	isError(t, onlyError(store.Splits(2, 1)), estore.ErrRange)
}

func TestSettingsAreKept(t *testing.T) {
	path := t.TempDir() + "/events"
	store := openAt(t, path, nil, estore.FileSize(time.Hour), estore.Grace(0), estore.Power(), estore.Interval(time.Second), estore.Buffered(),
		estore.Buffer(1000, time.Second), estore.MaxEventLen(10), estore.MaxNewChunks(5), estore.MaxOpenLogs(3), estore.NoIndex(),
		estore.NoBackground(), estore.CreateNew())
	add(t, store, at(1, "0123456789"))
	must(t, store.Tick())
	must(t, store.Close())
	store = openAt(t, path, estore.Existing())
	stats, err := store.Stats()
	must(t, err)
	equal(t, stats.FileSize, uint64(time.Hour))
	equal(t, stats.Grace, 0)
}

func TestTimesFromOneEndToTheOther(t *testing.T) {
	for _, ns := range []uint64{0, 1, 999_999_999, 1_000_000_000, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 1, math.MaxUint64} {
		back, err := estore.Nanos(estore.Event{Time: ns}.At())
		must(t, err)
		equal(t, back, ns)
	}
	// Past the end of UnixNano.
	ns, err := estore.Nanos(time.Date(2500, 1, 1, 0, 0, 0, 5, time.UTC))
	must(t, err)
	equal(t, ns, 16725225600*1_000_000_000+5)
	equal(t, estore.Time(ns).UTC().Year(), 2500)

	for _, bad := range []time.Time{{}, time.Unix(-1, 999_999_999), estore.Time(math.MaxUint64).Add(1), time.Date(2555, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(math.MaxInt64, 0)} {
		_, err := estore.Nanos(bad)
		isError(t, err, estore.ErrRange)
		_, err = estore.NewAt(bad, nil)
		isError(t, err, estore.ErrRange)
	}
	now := time.Now()
	if event := estore.New([]byte("x")); event.At().Before(now) || event.At().After(now.Add(time.Hour)) {
		t.Fatalf("%s is not now", event.At())
	}
	if estore.New(nil).ID == estore.New(nil).ID && estore.New(nil).ID == estore.New(nil).ID {
		t.Fatal("ids repeat")
	}
}

func TestReadingByTimes(t *testing.T) {
	store := open(t)
	isFirst(t, store.ReadTimes(ctx, time.Unix(-1, 0), time.Unix(1, 0)), estore.ErrRange)
	isFirst(t, store.ReadTimes(ctx, time.Unix(1, 0), time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC)), estore.ErrRange)
	isError(t, store.DeleteBeforeTime(time.Time{}), estore.ErrRange)
	add(t, store, at(1_500_000_000, "x"))
	same(t, texts(t, store.ReadTimes(ctx, time.Unix(1, 0), time.Unix(2, 0))), []string{"x"})
}

func TestDurations(t *testing.T) {
	d, err := estore.ParseDuration("1d12h")
	must(t, err)
	equal(t, d, 36*time.Hour)
	for _, bad := range []string{"", "1", "1x", "-1s", "300w300w20000w"} {
		_, err := estore.ParseDuration(bad)
		isError(t, err, estore.ErrInvalid)
	}
}

func TestTheLoggerIsTold(t *testing.T) {
	var text bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&text, nil))
	path := t.TempDir() + "/events"
	store := openAt(t, path, estore.Logger(logger), estore.FileSize(10), estore.NoBackground())
	add(t, store, at(5, "a"), at(15, "b"))
	i, err := store.Iter(0, all)
	must(t, err)
	must(t, store.DeleteBefore(10))
	must(t, store.Close())
	// The iterator may still have something to tell.
	if _, err := i.NextBatch(ctx); err != nil {
		t.Fatal(err)
	}
	i.Close()
	if got := text.String(); !strings.Contains(got, "level=INFO") || !strings.Contains(got, "deleted") || !strings.Contains(got, "store="+path) {
		t.Fatalf("the logger was told %q", got)
	}
}

func TestALoggerMayNotUseItsStore(t *testing.T) {
	var store *estore.Store
	var got []error
	logger := slog.New(handler(func() {
		_, err := store.LastSeq()
		_, err2 := store.Append(at(100, "log"))
		got = append(got, err, err2)
	}))
	store = open(t, estore.Logger(logger), estore.FileSize(10), estore.NoBackground())
	add(t, store, at(5, "a"), at(15, "b"))
	got = nil
	must(t, store.DeleteBefore(10))
	if len(got) == 0 || !slices.ContainsFunc(got, func(err error) bool { return err != nil }) {
		t.Fatalf("the store answered its own logger: %v", got)
	}
}
