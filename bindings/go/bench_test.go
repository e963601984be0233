package estore_test

import (
	"bytes"
	"testing"

	"estore"
)

// Batches of 1,000 events of 100 bytes.
func benchBatch() []estore.Event {
	batch := make([]estore.Event, 1000)
	for i := range batch {
		batch[i] = estore.Event{ID: uint32(i), Data: bytes.Repeat([]byte{byte(i)}, 100)}
	}
	return batch
}

func BenchmarkAppend(b *testing.B) {
	store := open(b, estore.Process(), estore.NoBackground())
	batch := benchBatch()
	now := uint64(0)
	for b.Loop() {
		for i := range batch {
			now += 1000
			batch[i].Time = now
		}
		add(b, store, batch...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}

func benchScan(b *testing.B, options ...estore.ReadOption) {
	store := open(b, estore.Process(), estore.NoBackground())
	batch := benchBatch()
	const batches = 200
	for n := range uint64(batches) {
		for i := range batch {
			batch[i].Time = n*1000 + uint64(i)
		}
		add(b, store, batch...)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for event, err := range store.Read(ctx, 0, all, options...) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(event.Data)
		}
		equal(b, n, batches*1000*100)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000/batches, "ns/event")
}

func BenchmarkScanBorrowing(b *testing.B) { benchScan(b, estore.Borrow()) }
func BenchmarkScanCopying(b *testing.B)   { benchScan(b) }
