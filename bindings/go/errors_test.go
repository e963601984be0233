package estore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"estore"
)

func isError(t testing.TB, err error, code estore.Code) *estore.Error {
	t.Helper()
	var e *estore.Error
	if !errors.Is(err, code) || !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want %v", err, code)
	}
	if e.Message == "" || !strings.HasPrefix(err.Error(), "estore: "+e.Op+": ") {
		t.Fatalf("a message that says little: %q", err)
	}
	return e
}

// What a read gives at first is an error.
func isFirst(t testing.TB, events func(func(estore.Event, error) bool), code estore.Code) {
	t.Helper()
	steps := 0
	for event, err := range events {
		isError(t, err, code)
		if event.Data != nil || event.Seq != 0 {
			t.Fatalf("an event came with the error: %+v", event)
		}
		steps++
	}
	equal(t, steps, 1)
}

type handler func()

func (handler) Enabled(context.Context, slog.Level) bool    { return true }
func (h handler) Handle(context.Context, slog.Record) error { h(); return nil }
func (h handler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h handler) WithGroup(string) slog.Handler             { return h }

func TestEachFailureHasItsError(t *testing.T) {
	folder := t.TempDir()
	path := folder + "/events"
	store := openAt(t, path, estore.MaxEventLen(3), estore.MaxNewChunks(1))
	add(t, store, at(1, "a"))

	_, err := estore.Open(path)
	isError(t, err, estore.ErrLocked)
	e := isError(t, onlyError(estore.Open(folder+"/nowhere", estore.Existing())), estore.ErrNotFound)
	if !errors.Is(e, fs.ErrNotExist) || errors.Is(e, fs.ErrExist) || e.Offset != -1 || e.Path != folder+"/nowhere" || e.Op != "open" {
		t.Fatalf("got %+v", e)
	}
	must(t, os.WriteFile(folder+"/file", nil, 0o600))
	isError(t, onlyError(estore.Open(folder+"/file")), estore.ErrNotAFolder)
	if err := onlyError(estore.Open(path, estore.CreateNew())); !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	isError(t, onlyError(estore.Open(folder)), estore.ErrForeignFiles)
	isError(t, onlyError(estore.Open("")), estore.ErrInvalid)
	isError(t, onlyError(estore.Open(folder+"/a\x00b")), estore.ErrInvalid)
	isError(t, onlyError(estore.OpenEfile(folder+"/a\x00b")), estore.ErrInvalid)
	isError(t, estore.Destroy("a\x00b"), estore.ErrInvalid)
	isError(t, estore.Destroy(path), estore.ErrLocked)
	isError(t, estore.Destroy(folder+"/nowhere"), estore.ErrNotFound)
	isError(t, onlyError(estore.OpenEfile(folder+"/efile", estore.FileSize(time.Hour))), estore.ErrInvalid)

	isError(t, onlyError(store.Append(at(1, "four"))), estore.ErrTooLarge)
	isError(t, onlyError(store.Append(at(0, ""), at(all/2, ""), at(all, ""))), estore.ErrTooManyChunks)
	if err := isError(t, onlyError(store.Count(2, 1)), estore.ErrRange); !errors.Is(err, fs.ErrInvalid) {
		t.Fatal(err)
	}
	isFirst(t, store.Read(ctx, 2, 1), estore.ErrRange)
	isFirst(t, store.Read(ctx, 1, 2, estore.Last(0)), estore.ErrInvalid)
	isFirst(t, store.Read(ctx, 1, 2, estore.Limit(-1)), estore.ErrInvalid)
	must(t, store.Close())

	isError(t, onlyError(estore.Open(path, estore.Grace(time.Second))), estore.ErrSettings)
	isError(t, onlyError(estore.OpenEfile(path)), estore.ErrNotAStore)
	reader := openAt(t, path, estore.ReadOnly())
	isError(t, onlyError(reader.Append(at(2, "b"))), estore.ErrReadOnly)
	isError(t, reader.DeleteBefore(2), estore.ErrReadOnly)
	isError(t, onlyError(reader.Retain(estore.Retention{DryRun: true})), estore.ErrReadOnly)
}

func onlyError[T any](_ T, err error) error { return err }

func TestAnOptionThatCannotWorkIsNamed(t *testing.T) {
	for name, option := range map[string]estore.Option{
		"Grace(-1s)": estore.Grace(-time.Second), "FileSize(0s)": estore.FileSize(0), "FileSize(-1ns)": estore.FileSize(-1),
		"Interval(0s)": estore.Interval(0), "Interval(-1ns)": estore.Interval(-1), "MaxEventLen(-1)": estore.MaxEventLen(-1),
		"MaxEventLen(1099511627776)": estore.MaxEventLen(1 << 40), "MaxNewChunks(0)": estore.MaxNewChunks(0),
		"MaxOpenLogs(-5)": estore.MaxOpenLogs(-5), "Buffer(0, 1s)": estore.Buffer(0, time.Second), "Buffer(1, -1ns)": estore.Buffer(1, -1),
	} {
		e := isError(t, onlyError(estore.Open(t.TempDir()+"/x", option)), estore.ErrInvalid)
		if !strings.HasPrefix(e.Message, name+": ") {
			t.Errorf("%s: %q does not name it", name, e.Message)
		}
	}
}

func TestTheSystemsErrorIsInIt(t *testing.T) {
	folder := t.TempDir()
	must(t, os.Symlink("loop", folder+"/loop"))
	err := onlyError(estore.Open(folder + "/loop"))
	var e *estore.Error
	if !errors.As(err, &e) || e.Errno != syscall.ELOOP || !errors.Is(err, syscall.ELOOP) {
		t.Fatalf("got %+v", e)
	}
}

func TestCodesAreErrorsThemselves(t *testing.T) {
	if !errors.Is(estore.ErrClosed, fs.ErrClosed) || !errors.Is(estore.ErrPermission, fs.ErrPermission) || errors.Is(estore.ErrCorrupt, fs.ErrInvalid) {
		t.Fatal("a code is not what io/fs calls it")
	}
	equal(t, estore.Code(-9999).Error(), "estore: unknown status")
	if estore.Version() == "" {
		t.Fatal("no version")
	}
}

// A store in which the second and the third of four events are damaged. Closed.
func damaged(t *testing.T) string {
	path := t.TempDir() + "/events"
	store := openAt(t, path)
	for i, text := range []string{"one", "two", "six", "ten"} {
		add(t, store, at(uint64(i)*10, text))
	}
	must(t, store.Close())
	logs, err := filepath.Glob(path + "/*.estore")
	must(t, err)
	const header, frame = 64, 64 + 3
	for _, log := range logs {
		bytes, err := os.ReadFile(log)
		must(t, err)
		if len(bytes) < header+4*frame {
			continue
		}
		bytes[header+frame+64] ^= 1
		bytes[header+2*frame+64] ^= 1
		must(t, os.WriteFile(log, bytes, 0o600))
	}
	return path
}

func TestDamageIsFoundLocatedAndPassedBy(t *testing.T) {
	store := openAt(t, damaged(t))
	report, err := store.Verify(ctx)
	must(t, err)
	equal(t, report.Events, 2)
	equal(t, report.Damaged, 2)
	var damage []estore.Finding
	for _, finding := range report.Findings {
		if finding.Kind == estore.Damage {
			damage = append(damage, finding)
		}
	}
	equal(t, len(damage), 2)
	equal(t, damage[0].Offset, 64+67)
	if damage[0].Len != 67 || damage[0].What == "" || filepath.Ext(damage[0].Path) != ".estore" {
		t.Fatalf("got %+v", damage[0])
	}

	var failed error
	for _, err := range store.Read(ctx, 0, all) {
		failed = err
	}
	equal(t, isError(t, failed, estore.ErrCorrupt).Offset, 64+67)

	var gaps []estore.Gap
	same(t, texts(t, store.Read(ctx, 0, all, estore.SalvageInto(&gaps))), []string{"one", "ten"})
	length := uint64(0)
	for _, gap := range gaps {
		length += gap.Len
		if gap.What == "" || gap.Path != damage[0].Path || gap.LastTime < gap.FirstTime {
			t.Fatalf("got %+v", gap)
		}
	}
	equal(t, length, 2*67)

	i, err := store.Iter(0, all, estore.Salvage(), estore.Reverse())
	must(t, err)
	defer i.Close()
	for {
		events, err := i.NextBatch(ctx)
		must(t, err)
		if len(events) == 0 {
			break
		}
	}
	again, err := i.Gaps()
	must(t, err)
	equal(t, len(again), len(gaps))

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := store.Verify(cancelled); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A context that is cancelled when it is asked for the n-th time whether it is.
type impatient struct {
	context.Context
	asked, patience int
}

func (c *impatient) Err() error {
	if c.asked++; c.asked > c.patience {
		return context.Canceled
	}
	return nil
}

func TestVerifyEndsAtTheFindingAfterItsCancellation(t *testing.T) {
	path := damaged(t)
	store := openAt(t, path)
	whole, err := store.Verify(ctx)
	must(t, err)
	if len(whole.Findings) < 2 {
		t.Fatalf("only %d findings", len(whole.Findings))
	}
	// The first question comes before anything is looked at.
	for found := range len(whole.Findings) {
		report, err := store.Verify(&impatient{ctx, 0, found + 1})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled after %d findings: %v", found, err)
		}
		same(t, report.Findings, whole.Findings[:found])
	}
	patient, err := store.Verify(&impatient{ctx, 0, len(whole.Findings) + 2})
	must(t, err)
	same(t, patient.Findings, whole.Findings)
}

// A test in a process of its own, which must end in time; answers with what it printed, and how it ended.
func alone(t *testing.T, test string) (string, *exec.ExitError) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	program := exec.CommandContext(limited, os.Args[0], "-test.run=^"+test+"$")
	program.Env = append(os.Environ(), "ESTORE_TEST_ALONE="+test, "ESTORE_TEST_FOLDER="+t.TempDir())
	printed, err := program.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(printed), exit
}

func TestALoggerThatPanicsEndsTheProgram(t *testing.T) {
	if os.Getenv("ESTORE_TEST_ALONE") == t.Name() {
		logger := slog.New(handler(func() { panic("no more paper") }))
		store, err := estore.Open(os.Getenv("ESTORE_TEST_FOLDER")+"/events", estore.Logger(logger), estore.FileSize(10), estore.NoBackground())
		must(t, err)
		add(t, store, at(5, "a"), at(15, "b"))
		defer func() { fmt.Println("recovered", recover()) }()
		must(t, store.DeleteBefore(10))
		fmt.Println("went on")
		return
	}
	printed, exit := alone(t, t.Name())
	if exit == nil || exit.ExitCode() != 2 {
		t.Fatalf("it ended with %v, and printed:\n%s", exit, printed)
	}
	if !strings.HasPrefix(printed, "panic in the logger of a store: no more paper\n") || !strings.Contains(printed, "errors_test.go") {
		t.Fatalf("it printed:\n%s", printed)
	}
	if strings.Contains(printed, "recovered") || strings.Contains(printed, "went on") {
		t.Fatalf("the program went on:\n%s", printed)
	}
}
