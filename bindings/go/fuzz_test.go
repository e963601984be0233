package estore_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"testing"

	"estore"
)

// Any bytes, taken for a batch: 8 of time, 4 of id, 2 of length, and so much data. What goes in comes out, in order, both ways of reading.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x01\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00"))
	f.Add(bytes.Repeat([]byte{0xff}, 100))
	f.Fuzz(func(t *testing.T, input []byte) {
		var batch []estore.Event
		for len(input) >= 14 && len(batch) < 100 {
			n := min(len(input)-14, int(binary.BigEndian.Uint16(input[12:])))
			batch = append(batch, estore.Event{
				Time: binary.BigEndian.Uint64(input), ID: binary.BigEndian.Uint32(input[8:]), Data: input[14 : 14+n],
			})
			input = input[14+n:]
		}
		file, err := estore.OpenEfile(t.TempDir()+"/file", estore.Process(), estore.NoBackground())
		must(t, err)
		defer file.Close()
		must(t, onlyError(file.Append(batch...)))
		slices.SortStableFunc(batch, func(a, b estore.Event) int { return cmp.Compare(a.Time, b.Time) })
		for _, options := range [][]estore.ReadOption{nil, {estore.Borrow()}} {
			n := 0
			for event, err := range file.Read(ctx, 0, all, options...) {
				must(t, err)
				if want := batch[n]; event.Time != want.Time || event.ID != want.ID || !bytes.Equal(event.Data, want.Data) {
					t.Fatalf("got %+v, want %+v", event, want)
				}
				n++
			}
			equal(t, n, len(batch))
		}
		done, err := file.AppendAbsent(batch...)
		must(t, err)
		equal(t, done.Present, uint64(len(batch)))
	})
}
