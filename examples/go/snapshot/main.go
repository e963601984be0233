// A backup of a store in use: a snapshot is a store of its own, with what was there at one moment. Another one into the same folder copies
// only what is new. To restore it, copy the folder, and open the copy.
//
// Run it in this folder, after `make lib`:
//
//	go run -tags estore_dev . [folder] [backup]
//
// The folders must not exist yet; they are `measured` and `backup` unless you say otherwise.
package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"

	"estore"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func measure(store *estore.Store, from, to uint64) {
	for time := from; time < to; time++ {
		_, err := store.Append(estore.Event{Time: time, Data: []byte("20.5 degrees")})
		check(err)
	}
}

// Takes a snapshot; answers how many bytes were copied. A context that is cancelled would stop it, and leave the folder as it was.
func take(store *estore.Store, backup string) uint64 {
	taken, err := store.Snapshot(context.Background(), backup, nil)
	check(err)
	state := "whole"
	if taken.Damaged > 0 {
		state = "of a damaged store"
	}
	fmt.Printf("a snapshot up to event %d, %s\n", taken.Seq, state)
	return taken.BytesCopied
}

func count(store *estore.Store) uint64 {
	events, err := store.Count(0, math.MaxUint64)
	check(err)
	return events
}

func show(store *estore.Store, backup string) {
	there, err := estore.Open(backup, estore.ReadOnly())
	check(err)
	fmt.Printf("%d events in the store, %d in the snapshot\n", count(store), count(there))
	check(there.Close())
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("snapshot: ")
	folder, backup := "measured", "backup"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if len(os.Args) > 2 {
		backup = os.Args[2]
	}
	store, err := estore.Open(folder, estore.CreateNew())
	check(err)
	measure(store, 0, 1000)
	first := take(store, backup)
	measure(store, 1000, 1200)
	show(store, backup)
	less := "no"
	if take(store, backup) < first {
		less = "yes"
	}
	show(store, backup)
	fmt.Println("the second one copied less:", less)
	check(store.Close())
}
