// Spreads the chunks of a store over machines, two copies of each: which machines hold a chunk follows from its number alone, so whoever
// knows the list of machines knows where to write and where to read. Then a machine is lost, and another one takes its part. Folders
// stand for the machines here; between real ones an exchange does what Repair does in this program.
//
// Run it in this folder, after `make lib`:
//
//	go run -tags estore_dev . cluster
package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"estore"
)

const (
	copies   = 2
	fileSize = time.Hour
	week     = 7 * 24 * time.Hour
)

// A number for a chunk on a machine, as good as random, and the same wherever it is computed.
func weight(machine string, chunk uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(machine))
	h.Write(binary.LittleEndian.AppendUint64(nil, chunk))
	// FNV alone mixes its last bytes too little: this is the end of SplitMix64.
	w := h.Sum64()
	w = (w ^ w>>30) * 0xbf58476d1ce4e5b9
	w = (w ^ w>>27) * 0x94d049bb133111eb
	return w ^ w>>31
}

// The machines that hold a chunk: those with the greatest weights (rendezvous hashing, Thaler and Ravishankar 1998). When a machine comes or
// goes, only the chunks move that it takes or had.
func holders(machines []string, chunk uint64) []string {
	sorted := slices.SortedFunc(slices.Values(machines), func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(b, chunk), weight(a, chunk)), cmp.Compare(a, b))
	})
	return sorted[:min(copies, len(sorted))]
}

func chunkOf(time uint64) uint64 { return time / uint64(fileSize) }

type cluster struct {
	folder   string
	machines []string
	stores   map[string]*estore.Store
}

func (c *cluster) add(machine string) error {
	store, err := estore.Open(filepath.Join(c.folder, machine), estore.FileSize(fileSize))
	if err != nil {
		return err
	}
	c.machines = append(c.machines, machine)
	c.stores[machine] = store
	return nil
}

func (c *cluster) close() (err error) {
	for _, store := range c.stores {
		err = errors.Join(err, store.Close())
	}
	return err
}

// Each event goes to all holders of its chunk. A failure may leave some of them without it: a repair later brings it.
func (c *cluster) append(events []estore.Event) error {
	parts := map[string][]estore.Event{}
	for _, event := range events {
		for _, machine := range holders(c.machines, chunkOf(event.Time)) {
			parts[machine] = append(parts[machine], event)
		}
	}
	for machine, part := range parts {
		if _, err := c.stores[machine].AppendAbsent(part...); err != nil {
			return err
		}
	}
	return nil
}

// The pieces of a range, one for each chunk in it. Any store can tell them: they depend on the file size alone.
func (c *cluster) pieces(from, to uint64) ([]estore.Range, error) {
	return c.stores[c.machines[0]].Splits(from, to)
}

// Reads piece by piece, each from one of its holders: all together come in order of time.
func (c *cluster) count(ctx context.Context, from, to uint64) (n int, err error) {
	pieces, err := c.pieces(from, to)
	if err != nil {
		return 0, err
	}
	last := uint64(0)
	for _, piece := range pieces {
		holder := holders(c.machines, chunkOf(piece.From))[0]
		for event, err := range c.stores[holder].Read(ctx, piece.From, piece.To, estore.Borrow()) {
			if err != nil {
				return 0, err
			}
			if event.Time < last {
				return 0, errors.New("events out of order")
			}
			last = event.Time
			n++
		}
	}
	return n, nil
}

// Brings each holder of a chunk what other machines have of it, whether they hold it still or not. How many chunks had something to bring.
func (c *cluster) rebalance(ctx context.Context, from, to uint64) (moved int, err error) {
	pieces, err := c.pieces(from, to)
	if err != nil {
		return 0, err
	}
	for _, piece := range pieces {
		copied := uint64(0)
		for _, holder := range holders(c.machines, chunkOf(piece.From)) {
			for _, other := range c.machines {
				if other == holder {
					continue
				}
				done, err := c.stores[holder].Repair(ctx, c.stores[other], piece.From, piece.To, estore.RepairOptions{})
				if err != nil {
					return 0, err
				}
				copied += done.To.Copied
			}
		}
		if copied > 0 {
			moved++
		}
	}
	return moved, nil
}

// Whether all holders of each chunk have the same events of it.
func (c *cluster) agrees(from, to uint64) (bool, error) {
	pieces, err := c.pieces(from, to)
	if err != nil {
		return false, err
	}
	for _, piece := range pieces {
		var first estore.Digest
		for i, holder := range holders(c.machines, chunkOf(piece.From)) {
			digest, err := c.stores[holder].Digest(piece.From, piece.To, fileSize)
			if err != nil {
				return false, err
			}
			if i == 0 {
				first = digest
			} else if ranges, err := first.Differences(digest); err != nil || len(ranges) > 0 {
				return false, err
			}
		}
	}
	return true, nil
}

func run(ctx context.Context, folder string) (err error) {
	c := &cluster{folder: folder, stores: map[string]*estore.Store{}}
	defer func() { err = errors.Join(err, c.close()) }()
	for _, machine := range []string{"ant", "bee", "cat", "dog"} {
		if err := c.add(machine); err != nil {
			return err
		}
	}
	start := uint64(time.Date(2023, 11, 13, 0, 0, 0, 0, time.UTC).UnixNano())
	end := start + uint64(week) - 1
	var events []estore.Event
	for at := start; at < end; at += uint64(time.Minute) {
		events = append(events, estore.Event{Time: at, Data: fmt.Appendf(nil, "measured at %d", at)})
	}
	if err := c.append(events); err != nil {
		return err
	}
	held := map[string]int{}
	for chunk := chunkOf(start); chunk <= chunkOf(end); chunk++ {
		for _, machine := range holders(c.machines, chunk) {
			held[machine]++
		}
	}
	fmt.Printf("%d chunks, two copies each, on 4 machines:\n", chunkOf(end)-chunkOf(start)+1)
	for _, machine := range c.machines {
		fmt.Printf("  %s has %d\n", machine, held[machine])
	}
	report := func(what string) error {
		n, err := c.count(ctx, start, end)
		if err != nil {
			return err
		}
		agrees, err := c.agrees(start, end)
		fmt.Printf("%s: %d events, all copies the same: %t\n", what, n, agrees)
		return err
	}
	if err := report("all machines"); err != nil {
		return err
	}

	// One is lost, for good. What it held has one copy now, and has to get a second one elsewhere.
	lost := c.machines[1]
	err = c.stores[lost].Close()
	delete(c.stores, lost)
	c.machines = slices.Delete(c.machines, 1, 2)
	if err != nil {
		return err
	}
	if err := report(lost + " is lost"); err != nil {
		return err
	}
	if err := c.add("eel"); err != nil {
		return err
	}
	moved, err := c.rebalance(ctx, start, end)
	if err != nil {
		return err
	}
	fmt.Printf("eel came: %d chunks were copied\n", moved)
	return report("afterwards")
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("placement: ")
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: placement FOLDER")
		os.Exit(2)
	}
	if err := os.Mkdir(os.Args[1], 0o777); err != nil {
		log.Fatal(err)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
