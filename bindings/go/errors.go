package estore

import (
	"fmt"
	"io/fs"
	"syscall"

	"estore/internal/capi"
)

// Code is a kind of failure, and an error that errors.Is finds in every [*Error] of its kind. A later library may have more.
type Code int32

const (
	// ErrGap says that events were deleted before a tail gave them. Told once; the tail goes on.
	ErrGap Code = capi.Gap
	// ErrInvalid is an argument that can never work.
	ErrInvalid Code = capi.Invalid
	// ErrIO says that the operating system refused something; Errno says what.
	ErrIO Code = capi.IO
	// ErrCorrupt says that bytes on disk are not what was written, and Offset where in the file that the message names; or that a message or
	// parcel is not what was sent.
	ErrCorrupt Code = capi.Corrupt
	// ErrNotFound says that there is nothing at the path. It is fs.ErrNotExist too.
	ErrNotFound Code = capi.NotFound
	// ErrExists says that a store was to be created where one is, or a snapshot onto what is no earlier one of the same store. It is
	// fs.ErrExist too.
	ErrExists Code = capi.Exists
	// ErrLocked says that another writer has the store open, in this process or another.
	ErrLocked Code = capi.Locked
	// ErrReadOnly says that the store was opened for reading only.
	ErrReadOnly Code = capi.ReadOnly
	// ErrNoSpace says that the disk or a quota is full. Nothing was changed: the call works again once there is space.
	ErrNoSpace Code = capi.NoSpace
	// ErrPoisoned says that an earlier write or sync failed, so the writer refuses to go on. Close the store and open it again.
	ErrPoisoned Code = capi.Poisoned
	// ErrOutcomeUnknown says that a write failed after it had begun: whether its batch is stored shows when the store is opened again.
	ErrOutcomeUnknown Code = capi.OutcomeUnknown
	// ErrTooLarge says that an event is larger than the store takes. Nothing of its batch was stored.
	ErrTooLarge Code = capi.TooLarge
	// ErrSettings says that the store was made with another file size or grace than was asked for.
	ErrSettings Code = capi.Settings
	// ErrNewerFormat says that the store needs a newer library.
	ErrNewerFormat Code = capi.NewerFormat
	// ErrForeignFiles says that a store was to be created in a folder that holds files of somebody else.
	ErrForeignFiles Code = capi.ForeignFiles
	// ErrNotAFolder says that the path is something else than a folder.
	ErrNotAFolder Code = capi.NotAFolder
	// ErrTooManyChunks says that a batch would make more new chunks than one may. Nothing of it was stored.
	ErrTooManyChunks Code = capi.TooManyChunks
	// ErrClosed says that the store or iterator was closed. It is fs.ErrClosed too.
	ErrClosed Code = capi.Closed
	// ErrForked says that the handle belongs to the process that this one was forked from.
	ErrForked Code = capi.Forked
	// ErrPanic is an internal error of the library; the handle refuses everything but Close from now on. Please report it.
	ErrPanic Code = capi.Panic
	// ErrGone says that another process removed a file that an iterator still needs.
	ErrGone Code = capi.Gone
	// ErrNotAStore says that the folder is no store, or one of the other kind.
	ErrNotAStore Code = capi.NotAStore
	// ErrPermission says that permission is missing, or the file system is read-only. It is fs.ErrPermission too.
	ErrPermission Code = capi.Permission
	// ErrRange says that a range ends before it starts, or that a time does not fit. It is fs.ErrInvalid too, as is ErrInvalid.
	ErrRange Code = capi.Range
	// ErrMissingFeature says that the library was built without a feature that an option asks for, or that reading a compressed chunk
	// needs.
	ErrMissingFeature Code = capi.MissingFeature
)

// Error says in a few words what the code means.
func (c Code) Error() string { return "estore: " + capi.StatusText(int(c)) }

// Is makes codes equal to the errors of io/fs that mean the same.
func (c Code) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return c == ErrNotFound
	case fs.ErrExist:
		return c == ErrExists
	case fs.ErrPermission:
		return c == ErrPermission
	case fs.ErrClosed:
		return c == ErrClosed
	case fs.ErrInvalid:
		return c == ErrInvalid || c == ErrRange
	}
	return false
}

// Error is what exactly went wrong.
type Error struct {
	// Op is what was being done, such as "append".
	Op string
	// Path is the folder of the store as it was opened. The file that the failure concerns is named in Message.
	Path string
	// Code is the kind of failure.
	Code Code
	// Offset is the byte in the file that Message names, or -1.
	Offset int64
	// Errno is the error of the operating system, or 0.
	Errno syscall.Errno
	// Message says what happened, to which file.
	Message string
}

// Error says what happened, to which file.
func (e *Error) Error() string { return fmt.Sprintf("estore: %s: %s", e.Op, e.Message) }

// Unwrap answers with the code, and the error of the operating system if there is one.
func (e *Error) Unwrap() []error {
	if e.Errno == 0 {
		return []error{e.Code}
	}
	return []error{e.Code, e.Errno}
}

func errorOf(f *capi.Failure, op, path string) error {
	if f == nil {
		return nil
	}
	e := &Error{Op: op, Path: path, Code: Code(f.Status), Offset: -1, Errno: syscall.Errno(f.Errno), Message: f.Message}
	if f.HasPos {
		e.Offset = int64(f.Offset)
	}
	return e
}

func refuse(code Code, op, path, format string, args ...any) error {
	return errorOf(capi.Refuse(int(code), fmt.Sprintf(format, args...)), op, path)
}

// Version is the version of the library that the program runs with, such as "0.1.0".
func Version() string {
	text, _ := capi.Version()
	return text
}

// What Open refuses with when the library is not the one that the program was built for: another version of its ABI, in which the same
// calls mean other things, or one older than the header, which may lack what the header promises.
var wrongVersion = func() *capi.Failure {
	ours, least := capi.HeaderVersion()
	theirs, have := capi.Version()
	if want, got := capi.Soname(); got != "" && got != want {
		return capi.Refuse(capi.Invalid, fmt.Sprintf("the program was built for %s (estore %s), but runs with %s (estore %s)", want, ours, got, theirs))
	}
	if have < least {
		return capi.Refuse(capi.Invalid, fmt.Sprintf("the program was built with version %s of estore, but runs with the older library %s", ours, theirs))
	}
	return nil
}()
