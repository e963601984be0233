// Ships a log into a store and reads a span of time out of it. A line may begin with its time, in seconds since 1970; one that does not
// has the time of the line before it, or of now. Lines may come in any order and are printed in the order of their times.
//
// Run it in this folder, after `make lib`:
//
//	printf '1700000002 two\n1700000001 one\n' | go run -tags estore_dev . logs
//	go run -tags estore_dev . logs 1700000000 1700000001
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"strconv"
	"time"

	"estore"
)

const (
	second    = uint64(time.Second)
	batchSize = 1000
)

// The seconds at the start of a text, if that is where it begins; what comes after a space may be anything.
func secondsOf(text []byte) (uint64, bool) {
	number, _, _ := bytes.Cut(text, []byte(" "))
	seconds, err := strconv.ParseUint(string(number), 10, 64)
	return seconds, err == nil && seconds < math.MaxUint64/second
}

func ship(folder string) (err error) {
	store, err := estore.Open(folder)
	if err != nil {
		return err
	}
	// Closing tells whether all is on disk, so its error counts too.
	defer func() { err = errors.Join(err, store.Close()) }()

	var batch []estore.Event
	last := estore.New(nil).Time
	shipped, withoutTime := 0, 0
	input := bufio.NewReaderSize(os.Stdin, 1<<16)
	for end := false; !end; {
		line, err := input.ReadBytes('\n')
		if end = err == io.EOF; err != nil && !end {
			return err
		}
		if len(line) > 0 {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if seconds, ok := secondsOf(line); ok {
				last = seconds * second
			} else {
				withoutTime++
			}
			event := estore.New(line)
			event.Time = last
			batch = append(batch, event)
		}
		// Many lines in one batch while they come fast, each one soon while they come slowly.
		waiting, _ := input.Peek(input.Buffered())
		if len(batch) == batchSize || bytes.IndexByte(waiting, '\n') < 0 {
			if _, err := store.Append(batch...); err != nil {
				return err
			}
			shipped += len(batch)
			batch = batch[:0]
		}
	}
	fmt.Printf("%d lines, %d without a time\n", shipped, withoutTime)
	return nil
}

func show(folder string, from, to uint64) error {
	// Reading only: works beside a shipper.
	store, err := estore.Open(folder, estore.ReadOnly())
	if err != nil {
		return err
	}
	defer store.Close()
	output := bufio.NewWriter(os.Stdout)
	// Nothing is kept, so nothing need be copied.
	for event, err := range store.Read(context.Background(), from*second, to*second+(second-1), estore.Borrow()) {
		if err != nil {
			return err
		}
		output.Write(event.Data)
		output.WriteByte('\n')
	}
	return output.Flush()
}

func main() {
	log.SetFlags(0)
	var err error
	switch len(os.Args) {
	case 2:
		err = ship(os.Args[1])
	case 4:
		from, ok := secondsOf([]byte(os.Args[2]))
		to, okToo := secondsOf([]byte(os.Args[3]))
		if ok && okToo {
			err = show(os.Args[1], from, to)
			break
		}
		fallthrough
	default:
		log.Print("usage: log_shipper FOLDER [FROM TO]    (seconds since 1970, both inclusive)")
		os.Exit(2)
	}
	if err != nil {
		log.Fatal(err)
	}
}
