package estore

import (
	"context"
	"errors"
	"iter"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"estore/internal/capi"
)

// TailIter follows a store in batches: every event behind a cursor in order of arrival, and then those that come. It may outlive its store:
// then it gives what is left. Several goroutines may use it and take turns. End it with Close.
type TailIter struct {
	// Whoever has it may wait.
	turn chan struct{}
	// Locked for each call of the library, not while one waits.
	held   *held
	cursor capi.Cursor
	// Readable while there may be something to take. Go's poller waits for it, so that a goroutine that waits needs no thread.
	bell   *os.File
	conn   syscall.RawConn
	events []Event
	borrow bool
}

// TailIter starts following the store behind the event with the seq after; 0 begins with the first event there is, LastSeq with the next to
// come. A seq that no event can have yet is refused with [ErrInvalid]. Of the options, [Borrow] has a meaning here; others are refused.
// For loops, Tail is simpler.
func (c *common) TailIter(after uint64, options ...ReadOption) (*TailIter, error) {
	k, err := c.enter("tail")
	if err != nil {
		return nil, err
	}
	defer k.leave()
	var r reading
	for _, o := range options {
		if o != nil {
			o(&r)
		}
	}
	if r.flags != 0 || r.limit != 0 || r.refused != "" {
		return nil, refuse(ErrInvalid, "tail", k.path, "a tail has no order, limit or salvage: of the options it takes only Borrow")
	}
	cursor, f := k.log.Tail(after)
	if f != nil {
		return nil, k.error(f, "tail")
	}
	bell, conn, err := bellOf(cursor, k.path)
	if err != nil {
		cursor.End()
		return nil, err
	}
	end := func() {
		bell.Close()
		cursor.End()
	}
	t := &TailIter{turn: make(chan struct{}, 1), held: k.hold(end), cursor: cursor, bell: bell, conn: conn, borrow: r.borrow}
	runtime.AddCleanup(t, (*held).forgotten, t.held)
	return t, nil
}

// The descriptor is the library's, so Go's poller gets another one of the same bell.
func bellOf(cursor capi.Cursor, path string) (*os.File, syscall.RawConn, error) {
	fd, f := cursor.FD()
	if f != nil {
		return nil, nil, errorOf(f, "tail", path)
	}
	own, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		f := capi.Refuse(capi.IO, path+": no descriptor to wait on: "+errno.Error())
		f.Errno = int(errno)
		return nil, nil, errorOf(f, "tail", path)
	}
	bell := os.NewFile(own, "tail of "+path)
	conn, err := bell.SyscallConn()
	return bell, conn, err
}

// NextBatch gives the next events, at least one, and waits until there are any. The slice is the iterator's until the next call; the data is
// the caller's, unless [Borrow] was asked for.
//
// Fails with the error of ctx when that is done, with [ErrGap], once, if events were deleted before they were given, with [ErrClosed] once
// all is given of a store that was closed, with [ErrGone] if the store was destroyed. No failure takes events away.
func (t *TailIter) NextBatch(ctx context.Context) ([]Event, error) {
	if t == nil || t.held == nil {
		return nil, (*held)(nil).lock("iterator", "tail")
	}
	defer runtime.KeepAlive(t)
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.turn }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var events []Event
	var failure error
	take := func(uintptr) bool {
		events, failure = t.take()
		return len(events) > 0 || failure != nil
	}
	if take(0) {
		return events, failure
	}
	stop := context.AfterFunc(ctx, func() { t.bell.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		// Another context may have been done just as its call ended otherwise, and have set it since.
		t.bell.SetReadDeadline(time.Time{})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := t.conn.Read(take)
		switch {
		case len(events) > 0 || failure != nil:
			return events, failure
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, t.held.refuse("iterator", "tail")
		}
	}
}

// What is there now.
func (t *TailIter) take() ([]Event, error) {
	if err := t.held.lock("iterator", "tail"); err != nil {
		return nil, err
	}
	defer t.held.mu.Unlock()
	raw, f := t.cursor.Next()
	if f != nil {
		return nil, errorOf(f, "tail", t.held.path)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	var memory unsafe.Pointer
	if !t.borrow {
		memory = capi.Copy(raw)
	}
	t.events = fill(t.events, raw, memory)
	return t.events, nil
}

// LastSeq is the cursor: every event up to this seq was given, so another tail goes on from here.
func (t *TailIter) LastSeq() (uint64, error) {
	if t == nil {
		return 0, (*held)(nil).lock("iterator", "last seq")
	}
	if err := t.held.lock("iterator", "last seq"); err != nil {
		return 0, err
	}
	defer t.held.mu.Unlock()
	defer runtime.KeepAlive(t)
	seq, f := t.cursor.SnapshotSeq()
	return seq, errorOf(f, "last seq", t.held.path)
}

// Close ends the iterator, and what it lent; a NextBatch that waits answers [ErrClosed]. Closing again is fine. It never fails.
func (t *TailIter) Close() {
	if t != nil {
		t.held.close(nil)
		runtime.KeepAlive(t)
	}
}

// Tail follows the store: every event with a larger seq than after, in order of arrival, late ones too, and then those that come, in the
// writing process or beside it in another. It survives chunks that begin, compaction and the writer's restarts; the seq of the last event
// that was handled is all that is kept to go on another time.
//
//	for event, err := range store.Tail(ctx, cursor) {
//		if errors.Is(err, estore.ErrGap) {
//			log.Print("events were deleted before they were handled")
//			continue
//		} else if err != nil {
//			return err
//		}
//		...
//		cursor = event.Seq
//	}
//
// The loop waits for what comes, without a thread, and ends when ctx is done or the store is closed. Errors come with an empty event: [ErrGap],
// after which it goes on, or, as the last step, what ended it otherwise. To look back and then follow, read first with an [Iter], and tail
// from its SnapshotSeq.
func (c *common) Tail(ctx context.Context, after uint64, options ...ReadOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t, err := c.TailIter(after, options...)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer t.Close()
		for {
			events, err := t.NextBatch(ctx)
			switch {
			case err == nil:
			case ctx.Err() != nil, errors.Is(err, ErrClosed):
				return
			case !yield(Event{}, err) || !errors.Is(err, ErrGap):
				return
			}
			for _, event := range events {
				if !yield(event, nil) {
					return
				}
			}
		}
	}
}
