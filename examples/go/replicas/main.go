// Keeps a store, and brings it what other processes have in theirs: each lets the others ask over HTTP, and asks them in turn. Any of them may
// be killed at any time; once they run again, all come to hold the same events.
//
// Run it in this folder, after `make lib`, once for each replica, here two of them:
//
//	go run -tags estore_dev . one 127.0.0.1:7001 http://127.0.0.1:7002
//	go run -tags estore_dev . two 127.0.0.1:7002 http://127.0.0.1:7001
//
// Each line of its input becomes an event. It ends when it is interrupted.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"estore"
)

const (
	every = 200 * time.Millisecond
	// No message is larger, unless single events are.
	largest = 32 << 20
	// No line of the input is longer.
	longest = 1 << 20
)

// Answers what other replicas ask: POST /message with a message of theirs, and GET /digest for people who want to compare.
func handler(store *estore.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /message", func(w http.ResponseWriter, r *http.Request) {
		message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reply, err := store.Answer(message)
		switch {
		case errors.Is(err, estore.ErrCorrupt):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.Write(reply)
		}
	})
	mux.HandleFunc("GET /digest", func(w http.ResponseWriter, r *http.Request) {
		digest, err := store.Digest(0, estore.MaxTime, 1<<62)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(digest)
	})
	return mux
}

// Carries a message to another replica, and its answer back.
func post(ctx context.Context, peer string, message []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, peer+"/message", bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	switch {
	case err != nil:
	case response.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(reply))
	case len(reply) > largest:
		err = fmt.Errorf("an answer of more than %d bytes", largest)
	}
	return reply, err
}

// Brings the store what it lacks. What was copied when it fails stays. Each time reads all that both have, which is for small stores: a large
// one asks for the last hours often, and for everything rarely.
func catchUp(ctx context.Context, store *estore.Store, peer string) (copied uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	exchange, err := store.Exchange(0, estore.MaxTime, estore.RepairOptions{})
	if err != nil {
		return 0, err
	}
	defer exchange.Close()
	done, err := exchange.Run(ctx, func(ctx context.Context, message []byte) ([]byte, error) { return post(ctx, peer, message) })
	return done.To.Copied, err
}

// Again and again, and says what changes.
func keepUp(ctx context.Context, store *estore.Store, peer string) {
	state := ""
	for ctx.Err() == nil {
		copied, err := catchUp(ctx, store, peer)
		if copied > 0 {
			fmt.Printf("%d events from %s\n", copied, peer)
			state = ""
		}
		now := "up to date with " + peer
		if err != nil {
			now = fmt.Sprintf("no answer from %s: %v", peer, err)
		}
		if now != state && ctx.Err() == nil {
			fmt.Println(now)
			state = now
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// Stores lines as they come.
func store(lines io.Reader, store *estore.Store) error {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, longest)
	for scanner.Scan() {
		if _, err := store.Append(estore.New(scanner.Bytes())); err != nil {
			return err
		}
		fmt.Println("stored " + scanner.Text())
	}
	return scanner.Err()
}

func run(folder, listen string, peers []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	replica, err := estore.Open(folder)
	if err != nil {
		return err
	}
	defer replica.Close()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(replica)}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	go func() {
		if err := store(os.Stdin, replica); err != nil {
			failed <- err
		}
	}()
	for _, peer := range peers {
		go keepUp(ctx, replica, peer)
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, server.Close(), replica.Close())
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("replicas: ")
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: replicas FOLDER LISTEN PEER...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		log.Fatal(err)
	}
}
