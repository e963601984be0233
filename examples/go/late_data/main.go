// Late data at work: a sensor whose network was down delivers its last half hour at once, and sends it again since nobody answered.
// Readers find every reading in its place, once; the stats tell what was late.
//
// Run it in this folder, after `make lib`:
//
//	go run -tags estore_dev . [folder]
//
// The folder must not exist yet; it is `sensors` unless you say otherwise.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"estore"
)

// As ids: readings of two sensors are never the same event.
const (
	cellar = iota + 1
	roof
)

var noon = time.Unix(1_700_049_600, 0)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func reading(after time.Duration, sensor uint32, text string) estore.Event {
	event, err := estore.NewAt(noon.Add(after), []byte(text))
	check(err)
	event.ID = sensor
	return event
}

func printStats(what string, store *estore.Store) {
	stats, err := store.Stats()
	check(err)
	fmt.Printf("%s: %d events, %d of them late\n", what, stats.Events, stats.LateEvents)
}

func main() {
	log.SetFlags(0)
	folder := "sensors"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	ctx := context.Background()

	// What lies at most two minutes behind the newest is in time. What is later costs a little more to store, and reads the same.
	store, err := estore.Open(folder, estore.CreateNew(), estore.Grace(2*time.Minute))
	check(err)

	// For an hour the cellar reports each minute.
	for i := range 60 {
		_, err := store.Append(reading(time.Duration(i)*time.Minute, cellar, "cellar 12.0"))
		check(err)
	}
	printStats("the cellar alone", store)
	before, err := store.Iter(0, estore.MaxTime)
	check(err)
	defer before.Close()

	// The roof comes back and delivers what it has measured from 12:30 on.
	var batch []estore.Event
	for i := range 30 {
		batch = append(batch, reading(time.Duration(30+i)*time.Minute+20*time.Second, roof, fmt.Sprintf("roof %d.5", 20+i)))
	}
	_, err = store.Append(batch...)
	check(err)
	printStats("the roof is back", store)

	// It got no answer and sends all again, with one reading more.
	batch = append(batch, reading(61*time.Minute, roof, "roof 50.5"))
	again, err := store.AppendAbsent(batch...)
	check(err)
	fmt.Printf("sent again: %d stored, %d there already\n", again.Stored, again.Present)

	fmt.Println("from 12:40 to 12:42:")
	for event, err := range store.ReadTimes(ctx, noon.Add(40*time.Minute), noon.Add(42*time.Minute)) {
		check(err)
		fmt.Printf("  %d min: %s\n", int(event.At().Sub(noon).Minutes()), event.Data)
	}

	// An iterator shows the moment at which it was made.
	seen := 0
	for {
		events, err := before.NextBatch(ctx)
		check(err)
		if len(events) == 0 {
			break
		}
		seen += len(events)
	}
	fmt.Printf("a reader from before still sees %d events\n", seen)
	check(store.Close())
}
