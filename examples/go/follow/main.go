// Follows a store that another process writes, and handles each event once, in the order in which they arrived, late ones too. The seq of
// the last event that was handled is kept in a file, so that the next run goes on where this one ended.
//
// Run it in this folder, after `make lib`, beside a program that writes to the store:
//
//	go run -tags estore_dev . logs cursor [events]
//
// It ends after so many events; without a number only when it is interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"estore"
)

func readCursor(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// Whole or not at all, whenever this program ends.
func writeCursor(path string, cursor uint64) error {
	if err := os.WriteFile(path+".new", fmt.Appendln(nil, cursor), 0o666); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func run(ctx context.Context, folder, path string, left uint64) error {
	cursor, err := readCursor(path)
	if err != nil {
		return err
	}
	store, err := estore.Open(folder, estore.ReadOnly())
	if err != nil {
		return err
	}
	defer store.Close()
	for event, err := range store.Tail(ctx, cursor) {
		if errors.Is(err, estore.ErrGap) {
			fmt.Println("events were deleted before they came here")
			continue
		} else if err != nil {
			return err
		}
		fmt.Printf("%d: %s\n", event.Seq, event.Data)
		if err := writeCursor(path, event.Seq); err != nil {
			return err
		}
		if left--; left == 0 {
			break
		}
	}
	return nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("follow: ")
	left := ^uint64(0)
	var err error
	if len(os.Args) > 3 {
		left, err = strconv.ParseUint(os.Args[3], 10, 64)
	}
	if len(os.Args) < 3 || err != nil {
		fmt.Fprintln(os.Stderr, "usage: follow FOLDER CURSOR [EVENTS]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], left); err != nil {
		log.Fatal(err)
	}
}
