// Many writers: goroutines append to one store at the same time, each batch safe against loss of power when its append returns. Appends
// that run at once share their syncs; each batch stays together.
//
// Run it in this folder, after `make lib`:
//
//	go run -tags estore_dev . [folder]
//
// The folder must not exist yet; it is `writers` unless you say otherwise.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"estore"
)

const (
	writers   = 8
	batches   = 25
	batchSize = 10
	start     = 1_700_049_600 * uint64(time.Second)
)

// A writer marks its events by their id.
func write(store *estore.Store, writer uint32) error {
	for b := range uint64(batches) {
		batch := make([]estore.Event, batchSize)
		for i := range batch {
			batch[i] = estore.Event{Time: start + b*uint64(time.Second), ID: writer, Data: fmt.Append(nil, "batch ", b)}
		}
		if _, err := store.Append(batch...); err != nil {
			return err
		}
	}
	return nil
}

func run(folder string) (err error) {
	store, err := estore.Open(folder, estore.CreateNew(), estore.Power())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	done := make(chan error)
	for writer := range uint32(writers) {
		go func() { done <- write(store, writer) }()
	}
	for range writers {
		err = errors.Join(err, <-done)
	}
	if err != nil {
		return err
	}

	stats, err := store.Stats()
	if err != nil {
		return err
	}
	safe := "no"
	if stats.DurableSeq == stats.LastSeq {
		safe = "yes"
	}
	fmt.Printf("%d threads wrote %d events, all of them safe: %s\n", writers, stats.Events, safe)

	// Events of equal time come in the order of their arrival, so a batch that stayed together comes in one piece.
	pieces := 0
	var last estore.Event
	for event, err := range store.Read(context.Background(), 0, estore.MaxTime) {
		if err != nil {
			return err
		}
		if event.Time != last.Time || event.ID != last.ID {
			pieces++
		}
		last = event
	}
	fmt.Printf("%d batches, read in %d pieces\n", writers*batches, pieces)
	return nil
}

func main() {
	log.SetFlags(0)
	folder := "writers"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := run(folder); err != nil {
		log.Fatal(err)
	}
}
