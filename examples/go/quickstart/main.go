// Readings of a thermometer: appended out of order, sent twice, read in order.
//
// Run it in this folder, after `make lib`:
//
//	go run -tags estore_dev . [folder]
//
// The folder must not exist yet; it is `thermometer` unless you say otherwise.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"estore"
)

func print(store *estore.Store, from uint64, options ...estore.ReadOption) error {
	for event, err := range store.Read(context.Background(), from, estore.MaxTime, options...) {
		if err != nil {
			return err
		}
		fmt.Printf("  %d s: %s\n", event.At().Unix(), event.Data)
	}
	return nil
}

func run(folder string) (err error) {
	// One file set for each hour of time. Both settings are optional.
	store, err := estore.Open(folder, estore.CreateNew(), estore.FileSize(time.Hour))
	if err != nil {
		return err
	}
	defer func() {
		if e := store.Close(); err == nil {
			err = e
		}
	}()

	// A batch is in any order of times. Times are nanoseconds; the id tells apart events of equal time and data.
	const second = uint64(time.Second)
	const noon = 1_700_049_600 * second
	readings := []estore.Event{
		{Time: noon + 2*second, ID: 7, Data: []byte("21.5")},
		{Time: noon, ID: 7, Data: []byte("21.3")},
		{Time: noon + second, ID: 7, Data: []byte("21.4")},
	}
	if _, err := store.Append(readings...); err != nil {
		return err
	}

	// This one comes an hour late. Readers find it in its place, like any other.
	if _, err := store.Append(estore.Event{Time: noon - 3600*second, ID: 7, Data: []byte("19.0")}); err != nil {
		return err
	}

	// The sender is not sure that the batch arrived and sends it again.
	again, err := store.AppendAbsent(readings...)
	if err != nil {
		return err
	}
	fmt.Printf("sent again: %d stored, %d there already\n", again.Stored, again.Present)

	fmt.Println("from noon on:")
	if err := print(store, noon); err != nil {
		return err
	}

	fmt.Println("the last two, newest first:")
	if err := print(store, 0, estore.Reverse(), estore.Limit(2)); err != nil {
		return err
	}

	count, err := store.Count(0, estore.MaxTime)
	if err != nil {
		return err
	}
	fmt.Printf("%d events in all\n", count)
	return nil
}

func main() {
	folder := "thermometer"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := run(folder); err != nil {
		log.Fatal(err)
	}
}
