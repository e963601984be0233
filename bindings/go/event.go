package estore

import (
	"math"
	"math/rand/v2"
	"time"

	"estore/internal/capi"
)

// MaxTime is the largest time. As the end of a range it means that there is none.
const MaxTime uint64 = math.MaxUint64

// Event is what a store keeps.
type Event struct {
	// Time is when it happened: nanoseconds since 1970 by convention. Every number is legal.
	Time uint64
	// Seq is the number of its arrival, given by the store, never 0. Append ignores it.
	Seq uint64
	// ID tells apart events of equal time and equal data. Any number; it need not be unique.
	ID uint32
	// Data is the payload. Empty and nil are the same: an event that was read has nil.
	Data []byte
}

// New makes an event that happens now, with a random id. The event keeps data and does not copy it.
func New(data []byte) Event {
	return Event{Time: uint64(max(0, time.Now().UnixNano())), ID: rand.Uint32(), Data: data}
}

// NewAt makes an event of a given time, with a random id. The event keeps data and does not copy it. A time before 1970 or after July
// 2554 is refused with [ErrRange].
func NewAt(t time.Time, data []byte) (Event, error) {
	ns, err := Nanos(t)
	return Event{Time: ns, ID: rand.Uint32(), Data: data}, err
}

// At is the time of the event, in local time.
func (e Event) At() time.Time { return Time(e.Time) }

// Time makes a time of nanoseconds since 1970. Every number fits.
func Time(ns uint64) time.Time { return time.Unix(int64(ns/1_000_000_000), int64(ns%1_000_000_000)) }

// Nanos is the number of nanoseconds from 1970 to a time. A time before 1970 or after July 2554 is refused with [ErrRange].
func Nanos(t time.Time) (uint64, error) {
	seconds, rest := t.Unix(), uint64(t.Nanosecond())
	const second, most, mostRest = 1_000_000_000, math.MaxUint64 / 1_000_000_000, math.MaxUint64 % 1_000_000_000
	if seconds < 0 || uint64(seconds) > most || uint64(seconds) == most && rest > mostRest {
		return 0, refuse(ErrRange, "time", "", "%s does not fit into the times from 1970 to July 2554", t.Format(time.RFC3339Nano))
	}
	return uint64(seconds)*second + rest, nil
}

// ParseDuration understands a duration as people type it: one or more whole numbers with a unit (ns us ms s m h d w), which add up, such
// as 1d or 1h30m. More than [time.Duration] holds, 292 years, is refused with [ErrInvalid].
func ParseDuration(text string) (time.Duration, error) {
	ns, f := capi.ParseDuration(text)
	if f == nil && ns > math.MaxInt64 {
		f = capi.Refuse(capi.Invalid, "\""+text+"\" is longer than 292 years")
	}
	return time.Duration(ns), errorOf(f, "parse duration", "")
}
