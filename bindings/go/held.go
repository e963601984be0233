package estore

import "sync"

// A handle of the library beside its store: of an iterator, an exchange or an export. Who uses it takes turns. It is apart from what the
// program holds, so that a forgotten one can be closed.
type held struct {
	mu     sync.Mutex
	closed bool
	path   string
	logger *logRef
	end    func()
}

// End closes the handle.
func (k *core) hold(end func()) *held {
	k.logger.use()
	openHandles.Add(1)
	return &held{path: k.path, logger: k.logger, end: end}
}

// Takes the turn of this goroutine, unless there is nothing to use any more. What names it in messages.
func (h *held) lock(what, op string) error {
	if h == nil {
		return refuse(ErrClosed, op, "", "the %s was never made", what)
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return h.refuse(what, op)
	}
	return nil
}

func (h *held) refuse(what, op string) error {
	return refuse(ErrClosed, op, h.path, "%s: the %s is closed", h.path, what)
}

// Whether it was open. The last thing that is done with it may be given.
func (h *held) close(last func()) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.closed = true
	if last != nil {
		last()
	}
	h.end()
	openHandles.Add(-1)
	h.logger.done()
	return true
}

func (h *held) forgotten() {
	if h.close(nil) {
		forgottenHandles.Add(1)
	}
}
