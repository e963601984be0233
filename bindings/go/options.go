package estore

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"estore/internal/capi"
)

// Option says how to open a store. When two say different things of the same, the later one counts.
type Option func(*config)

type config struct {
	steps  []step
	logger *slog.Logger
}

// One setting: what it is called, and how the library is told, which answers with a status.
type step struct {
	name string
	set  func(*capi.Options) int
}

func option(set func(*capi.Options) int, format string, args ...any) Option {
	name := fmt.Sprintf(format, args...)
	return func(c *config) { c.steps = append(c.steps, step{name, set}) }
}

// A number that the library takes unsigned.
func unsigned(n int64, set func(o *capi.Options, n uint64) int) func(*capi.Options) int {
	return func(o *capi.Options) int {
		if n < 0 {
			return capi.Invalid
		}
		return set(o, uint64(n))
	}
}

func configOf(options []Option) *config {
	c := new(config)
	for _, o := range options {
		if o != nil {
			o(c)
		}
	}
	return c
}

// Makes the library's options, to be freed by the caller.
func (c *config) build() (*capi.Options, *capi.Failure) {
	o := capi.NewOptions()
	for _, s := range c.steps {
		if status := s.set(o); status != capi.OK {
			o.Free()
			return nil, capi.Refuse(status, s.name+": "+capi.StatusText(status))
		}
	}
	return o, nil
}

// CreateNew makes opening fail with [ErrExists] if there is a store. Without it, [Existing] or [ReadOnly], a missing one is created.
func CreateNew() Option { return mode(capi.ModeCreateNew, "CreateNew") }

// Existing makes opening fail with [ErrNotFound] if there is no store.
func Existing() Option { return mode(capi.ModeExisting, "Existing") }

// ReadOnly opens for reading. It takes no lock, writes nothing, and works beside a writer: each read shows what that
// has handed to the system by then.
func ReadOnly() Option { return mode(capi.ModeReadOnly, "ReadOnly") }

func mode(mode int, name string) Option {
	return option(func(o *capi.Options) int { return o.SetMode(mode) }, "%s", name)
}

// Buffered lets an append return before the system has its data: up to the [Buffer] is lost when the program dies.
func Buffered() Option { return durability(capi.DurabilityBuffered, 0, "Buffered") }

// Process makes an append that returned survive the death of the program, but not loss of power.
func Process() Option { return durability(capi.DurabilityProcess, 0, "Process") }

// Interval is [Process], and at most d later an append survives loss of power too. The default, with one second.
func Interval(d time.Duration) Option {
	return durability(capi.DurabilityInterval, int64(d), fmt.Sprintf("Interval(%s)", d))
}

// Power makes an append that returned survive loss of power. Appends that run at once share their syncs.
func Power() Option { return durability(capi.DurabilityPower, 0, "Power") }

func durability(durability int, interval int64, name string) Option {
	return option(unsigned(interval, func(o *capi.Options, n uint64) int { return o.SetDurability(durability, n) }), "%s", name)
}

// FileSize sets the time range of one chunk of a new store: a day, unless said otherwise. The store keeps it; opening one with another
// fails with [ErrSettings]. An [Efile] has no chunks and refuses it.
func FileSize(d time.Duration) Option {
	return option(unsigned(int64(d), (*capi.Options).SetFileSize), "FileSize(%s)", d)
}

// Grace sets how far an event of a new store may lie behind the newest of its chunk before it is late: a minute, unless said otherwise.
// The store keeps it; opening one with another fails with [ErrSettings].
func Grace(d time.Duration) Option {
	return option(unsigned(int64(d), (*capi.Options).SetGrace), "Grace(%s)", d)
}

// MaxEventLen sets the largest event that is appended, in bytes: 16 MiB, unless said otherwise, and 1 GiB at most.
func MaxEventLen(bytes int) Option {
	return option(unsigned(int64(bytes), func(o *capi.Options, n uint64) int {
		return o.SetMaxEventLen(uint32(min(n, math.MaxUint32)))
	}), "MaxEventLen(%d)", bytes)
}

// MaxNewChunks sets how many chunks one batch may create: 1024, unless said otherwise.
func MaxNewChunks(n int) Option {
	return option(unsigned(int64(n), func(o *capi.Options, n uint64) int { return o.SetMaxNewChunks(uint(n)) }), "MaxNewChunks(%d)", n)
}

// MaxOpenLogs sets how many logs are kept open for appending: 64, unless said otherwise.
func MaxOpenLogs(n int) Option {
	return option(unsigned(int64(n), func(o *capi.Options, n uint64) int { return o.SetMaxOpenLogs(uint(n)) }), "MaxOpenLogs(%d)", n)
}

// Buffer sets when the buffer of [Buffered] is handed to the system: once it holds so many bytes or is so old; 1 MiB and one second,
// unless said otherwise.
func Buffer(bytes int, age time.Duration) Option {
	return option(func(o *capi.Options) int {
		if bytes < 0 || age < 0 {
			return capi.Invalid
		}
		return o.SetBuffer(uint(bytes), uint64(age))
	}, "Buffer(%d, %s)", bytes, age)
}

// NoIndex does without index files: the logs are scanned instead.
func NoIndex() Option { return option((*capi.Options).SetNoIndex, "NoIndex") }

// NoBackground keeps the store from having threads of its own, for what is due by time, for compaction and for retention; call Tick for the
// first and the last.
func NoBackground() Option { return option((*capi.Options).SetNoBackground, "NoBackground") }

// NoCompaction keeps the store from compacting by itself; see Compact.
func NoCompaction() Option { return option((*capi.Options).SetNoCompaction, "NoCompaction") }

// CompressionKind is how compaction stores events.
type CompressionKind int

const (
	// CompressionNone stores them as they are.
	CompressionNone CompressionKind = capi.CompressionNone
	// LZ4 compresses what gets smaller by it.
	LZ4 CompressionKind = capi.CompressionLZ4
)

// Compression sets how compaction stores events; without it, a chunk's stay as they are. Past chunks are then compressed by themselves too,
// and Compact compacts those anew that are stored in another way. Reading needs no option. Opening fails with [ErrMissingFeature] where the
// library lacks the compression.
func Compression(kind CompressionKind) Option {
	return option(func(o *capi.Options) int { return o.SetCompression(int(kind)) }, "Compression(%d)", kind)
}

// MaxAge lets chunks go by themselves, for good, all of whose events are older than d, oldest first; 0, the default, keeps them. It is
// applied in the background, once the store is open and whenever a new chunk begins:
//
//	store, err := estore.Open("events", estore.MaxAge(30*24*time.Hour), estore.MaxBytes(100<<30))
//
// Ages are counted from the clock, or from the newest time that two events have reached, whichever is smaller: one event of the far future
// deletes nothing. Nor does a clock that jumps ahead while the store is open, until it has stayed so for a day, or for d if that is less.
// What is live stays, also where the limit is shorter than a chunk. See [Store.Retain]. An [Efile] refuses it.
func MaxAge(d time.Duration) Option {
	return option(unsigned(int64(d), (*capi.Options).SetMaxAge), "MaxAge(%s)", d)
}

// MaxBytes lets the oldest chunks go by themselves, for good, as long as all take more bytes on disk ([Stats.ChunkBytes]); 0, the default,
// keeps them. It is applied when [MaxAge] is, and when a log has grown by some MiB or 1% of the limit. An [Efile] refuses it.
func MaxBytes(n int64) Option {
	return option(unsigned(n, (*capi.Options).SetMaxBytes), "MaxBytes(%d)", n)
}

// Logger sets who is told of repairs, damage, opening and closing, each with the attribute "store", its path. Its handler is called during
// calls of the store and from a thread of its own, perhaps at once. It must not use the same store, and ends the program if it panics.
func Logger(logger *slog.Logger) Option { return func(c *config) { c.logger = logger } }
