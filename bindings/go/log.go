package estore

import (
	"context"
	"log/slog"
	"runtime/cgo"
	"sync/atomic"

	"estore/internal/capi"
)

// A logger that the library calls, for as long as its store or one of its iterators lives. nil is none.
type logRef struct {
	logger *slog.Logger
	path   string
	handle cgo.Handle
	users  atomic.Int64
}

func newLogRef(logger *slog.Logger, path string) *logRef {
	if logger == nil {
		return nil
	}
	l := &logRef{logger: logger, path: path}
	l.handle = cgo.NewHandle(capi.LogFunc(l.tell))
	l.users.Store(1)
	return l
}

func (l *logRef) tell(level int, message string) {
	severity := slog.LevelInfo
	switch level {
	case capi.LogError:
		severity = slog.LevelError
	case capi.LogWarning:
		severity = slog.LevelWarn
	}
	l.logger.LogAttrs(context.Background(), severity, message, slog.String("store", l.path))
}

func (l *logRef) use() {
	if l != nil {
		l.users.Add(1)
	}
}

func (l *logRef) done() {
	if l != nil && l.users.Add(-1) == 0 {
		l.handle.Delete()
	}
}
