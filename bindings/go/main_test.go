package estore_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"estore"
)

// No test leaves a handle open, and none forgets one but those that say so.
func TestMain(m *testing.M) {
	code := m.Run()
	runtime.GC()
	if n := estore.OpenHandles(); code == 0 && n != 0 {
		fmt.Printf("FAIL: %d stores and iterators were left open\n", n)
		code = 1
	}
	if n := estore.ForgottenHandles(); code == 0 && n != forgottenOnPurpose.Load() {
		fmt.Printf("FAIL: %d stores and iterators were forgotten, not %d\n", n, forgottenOnPurpose.Load())
		code = 1
	}
	os.Exit(code)
}

var ctx = context.Background()

// Every event there is.
const all = estore.MaxTime

func open(t testing.TB, options ...estore.Option) *estore.Store {
	t.Helper()
	return openAt(t, t.TempDir()+"/events", options...)
}

func openAt(t testing.TB, path string, options ...estore.Option) *estore.Store {
	t.Helper()
	store, err := estore.Open(path, options...)
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	return store
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func at(time uint64, data string) estore.Event {
	return estore.Event{Time: time, ID: 1, Data: []byte(data)}
}

func add(t testing.TB, store *estore.Store, events ...estore.Event) uint64 {
	t.Helper()
	seq, err := store.Append(events...)
	must(t, err)
	return seq
}

// The data of what a read gives.
func texts(t testing.TB, events func(func(estore.Event, error) bool)) []string {
	t.Helper()
	texts := []string{}
	for event, err := range events {
		must(t, err)
		texts = append(texts, string(event.Data))
	}
	return texts
}

func same[T comparable](t testing.TB, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func equal[T comparable](t testing.TB, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}
