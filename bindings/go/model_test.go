package estore_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"estore"
)

// The naive store: a slice in order of arrival, sorted by time for each read.
type model struct {
	events  []estore.Event
	horizon uint64
}

func (m *model) append(event estore.Event) {
	if event.Time >= m.horizon {
		m.events = append(m.events, event)
	}
}

func (m *model) has(event estore.Event) bool {
	return slices.ContainsFunc(m.events, func(e estore.Event) bool {
		return e.Time == event.Time && e.ID == event.ID && bytes.Equal(e.Data, event.Data)
	})
}

func (m *model) deleteBefore(time uint64) {
	m.horizon = max(m.horizon, time)
	m.events = slices.DeleteFunc(m.events, func(e estore.Event) bool { return e.Time < m.horizon })
}

func (m *model) read(from, to uint64) []estore.Event {
	var events []estore.Event
	for _, e := range m.events {
		if from <= e.Time && e.Time <= to {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b estore.Event) int { return cmp.Compare(a.Time, b.Time) })
	return events
}

func limited(events []estore.Event, reverse, last bool, limit int) []estore.Event {
	n := len(events)
	if limit > 0 {
		n = min(n, limit)
	}
	if last || reverse {
		events = events[len(events)-n:]
	} else {
		events = events[:n]
	}
	if reverse {
		slices.Reverse(events)
	}
	return events
}

// What stores and efiles both do.
type keeper interface {
	Append(events ...estore.Event) (uint64, error)
	AppendAbsent(events ...estore.Event) (estore.Absent, error)
	Read(ctx context.Context, from, to uint64, options ...estore.ReadOption) iter.Seq2[estore.Event, error]
	Count(from, to uint64) (uint64, error)
	Sync() (uint64, error)
	Verify(ctx context.Context) (estore.Report, error)
	Compact(ctx context.Context, from, to uint64, progress func(done, events uint64)) (estore.Compacted, error)
	Close() error
}

func openKeeper(t testing.TB, path string, efile bool, options []estore.Option) (keeper keeper) {
	t.Helper()
	var err error
	if efile {
		keeper, err = estore.OpenEfile(path, options...)
	} else {
		keeper, err = estore.Open(path, append(options, estore.FileSize(100))...)
	}
	must(t, err)
	t.Cleanup(func() { must(t, keeper.Close()) })
	return keeper
}

func TestTheModelOfAStore(t *testing.T)  { againstTheModel(t, false) }
func TestTheModelOfAnEfile(t *testing.T) { againstTheModel(t, true) }

// Random operations on a store or efile and on the model, which must tell the same. ESTORE_SEED=N begins with seed N.
func againstTheModel(t *testing.T, efile bool) {
	first, err := strconv.ParseUint(cmp.Or(os.Getenv("ESTORE_SEED"), "0"), 10, 64)
	must(t, err)
	cases := uint64(8)
	if debugBuild {
		cases = 2
	}
	for seed := first; seed < first+cases; seed++ {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("again with: ESTORE_SEED=%d go test -run '^%s$' .", seed, strings.ReplaceAll(t.Name(), "/", "$/^"))
				}
			}()
			random := rand.New(rand.NewPCG(seed, 0))
			path := t.TempDir() + "/events"
			options := []estore.Option{estore.Grace(20), []estore.Option{estore.Process(), estore.Buffered()}[random.IntN(2)]}
			if random.IntN(4) == 0 {
				options = append(options, estore.NoIndex())
			}
			store := openKeeper(t, path, efile, options)
			var m model
			// Mostly in order, with late ones, early ones and repeats.
			now := uint64(0)
			someTime := func() uint64 {
				now += random.Uint64N(8)
				switch random.IntN(10) {
				case 0:
					return random.Uint64N(now + 1)
				case 1:
					return now + random.Uint64N(200)
				}
				return now
			}
			someEvents := func() []estore.Event {
				batch := make([]estore.Event, random.IntN(20))
				for i := range batch {
					batch[i] = estore.Event{Time: someTime(), ID: random.Uint32N(3), Data: bytes.Repeat([]byte{byte(random.IntN(3))}, random.IntN(30))}
					if random.IntN(50) == 0 {
						batch[i].Data = bytes.Repeat([]byte("long"), random.IntN(2000))
					}
					if len(m.events) > 0 && random.IntN(5) == 0 {
						batch[i] = m.events[random.IntN(len(m.events))]
					}
				}
				return batch
			}
			for range 150 {
				from, to := random.Uint64N(now+100), random.Uint64N(now+100)
				from, to = min(from, to), max(from, to)
				switch random.IntN(8) {
				case 0, 1, 2:
					batch := someEvents()
					_, err := store.Append(batch...)
					must(t, err)
					for _, e := range batch {
						m.append(e)
					}
				case 3:
					batch := someEvents()
					var want estore.Absent
					for _, e := range batch {
						switch {
						case e.Time < m.horizon:
							want.Expired++
						case m.has(e):
							want.Present++
						default:
							want.Stored++
							m.append(e)
						}
					}
					got, err := store.AppendAbsent(batch...)
					must(t, err)
					want.LastSeq = got.LastSeq
					equal(t, got, want)
				case 4, 5:
					reverse, last, limit := random.IntN(2) == 0, random.IntN(3) == 0, random.IntN(12)
					var options []estore.ReadOption
					if reverse {
						options = append(options, estore.Reverse())
					}
					if last = last && limit > 0; last {
						options = append(options, estore.Last(limit))
					} else if limit > 0 {
						options = append(options, estore.Limit(limit))
					}
					if random.IntN(2) == 0 {
						options = append(options, estore.Borrow())
					}
					want := limited(m.read(from, to), reverse, last, limit)
					for got, err := range store.Read(ctx, from, to, options...) {
						must(t, err)
						if len(want) == 0 {
							t.Fatalf("an event too many: %+v", got)
						}
						if e := want[0]; e.Time != got.Time || e.ID != got.ID || !bytes.Equal(e.Data, got.Data) {
							t.Fatalf("got %+v, want %+v", got, e)
						}
						want = want[1:]
					}
					equal(t, len(want), 0)
				case 6:
					n, err := store.Count(from, to)
					must(t, err)
					equal(t, n, uint64(len(m.read(from, to))))
				case 7:
					switch random.IntN(6) {
					case 0:
						horizon := random.Uint64N(now/2 + 1)
						if chunked, ok := store.(*estore.Store); ok {
							must(t, chunked.DeleteBefore(horizon))
							m.deleteBefore(horizon)
						}
					case 1, 2:
						must(t, store.Close())
						store = openKeeper(t, path, efile, options)
					case 3:
						must(t, onlyError(store.Sync()))
					case 4:
						report, err := store.Verify(ctx)
						must(t, err)
						equal(t, report.Damaged, 0)
					case 5:
						must(t, onlyError(store.Compact(ctx, from, to, nil)))
					}
				}
			}
		})
	}
}
