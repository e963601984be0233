// The cost of the language border, in Go; benches/README.md says what is measured, border.c how a program is asked. Scans are `borrow` and
// `copy`.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"estore"
)

const (
	batch  = 1000
	length = 100
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal("border in Go: ", err)
	}
	return value
}

func makeEvents(n int) []estore.Event {
	pool := make([]byte, batch*length)
	for j := range pool {
		pool[j] = byte((j*31 + j/length) % 251)
	}
	events := make([]estore.Event, n)
	for i := range events {
		at := i % batch * length
		number := uint64(i)
		t := 1_700_000_000_000_000_000 + number*100_000 + number*7_368_787%10_000_000
		events[i] = estore.Event{Time: t, ID: uint32(i), Data: pool[at : at+length]}
	}
	return events
}

// The first batch makes the files of the chunk, and is not timed.
func appendAll(path string, events []estore.Event) time.Duration {
	store := must(estore.Open(path, estore.CreateNew(), estore.Process()))
	must(store.Append(events[:batch]...))
	start := time.Now()
	for i := batch; i < len(events); i += batch {
		must(store.Append(events[i : i+batch]...))
	}
	took := time.Since(start)
	must(0, store.Close())
	return took
}

func scan(store *estore.Store, options ...estore.ReadOption) {
	count, sum := 0, uint64(0)
	start := time.Now()
	for e, err := range store.Read(context.Background(), 0, estore.MaxTime, options...) {
		if err != nil {
			log.Fatal("border in Go: ", err)
		}
		count++
		sum += e.Time + uint64(len(e.Data))
	}
	fmt.Println(time.Since(start).Nanoseconds(), count, sum)
}

func check(store *estore.Store, options ...estore.ReadOption) {
	count, sum := 0, uint64(0)
	for e, err := range store.Read(context.Background(), 0, estore.MaxTime, options...) {
		must(0, err)
		count++
		sum += e.Time + uint64(len(e.Data)) + uint64(e.ID)
		for _, b := range e.Data {
			sum += uint64(b)
		}
	}
	fmt.Println(0, count, sum)
}

func main() {
	if len(os.Args) != 3 {
		os.Exit(2)
	}
	work, argument := os.Args[1], os.Args[2]
	lines := bufio.NewScanner(os.Stdin)
	if work == "append" {
		events := makeEvents(must(strconv.Atoi(argument)))
		for lines.Scan() {
			fmt.Println(appendAll(lines.Text(), events).Nanoseconds())
		}
		return
	}
	store := must(estore.Open(argument, estore.ReadOnly()))
	var options []estore.ReadOption
	if work == "borrow" {
		options = append(options, estore.Borrow())
	}
	for lines.Scan() {
		if lines.Text() == "check" {
			check(store, options...)
		} else {
			scan(store, options...)
		}
	}
}
