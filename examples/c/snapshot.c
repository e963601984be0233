/*
 * A backup of a store in use: a snapshot is a store of its own, with what was there at one moment. Another one into the same folder copies only
 * what is new. To restore it, copy the folder, and open the copy.
 *
 * Build and run it from the top of the repository, after `make lib`:
 *
 *     cc -std=c99 -Iinclude examples/c/snapshot.c -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o snapshot
 *     ./snapshot [folder] [backup]
 *
 * The folders must not exist yet; they are `measured` and `backup` unless you say otherwise.
 */
#include <estore.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static estore_error err = ESTORE_ERROR_INIT;

static void check(estore_status status)
{
    if (status < 0) {
        fprintf(stderr, "snapshot: %s\n", err.message[0] != '\0' ? err.message : estore_strerror(status));
        exit(1);
    }
}

static estore *open_store(const char *folder, int32_t mode)
{
    estore_options *options = estore_options_new();
    estore *store = NULL;
    check(options != NULL ? estore_options_set_mode(options, mode) : ESTORE_ERR_PANIC);
    check(estore_open(folder, strlen(folder), options, &store, &err));
    estore_options_free(&options);
    return store;
}

static void measure(estore *store, uint64_t from, uint64_t to)
{
    uint64_t time;
    for (time = from; time < to; time++) {
        estore_event event = {0};
        event.time = time;
        event.data = (const uint8_t *)"20.5 degrees";
        event.len = 12;
        check(estore_append(store, &event, 1, NULL, &err));
    }
}

static uint64_t count(const estore *store)
{
    uint64_t events;
    check(estore_count(store, 0, UINT64_MAX, &events, &err));
    return events;
}

/* Takes a snapshot; answers how many bytes were copied. */
static uint64_t take(const estore *store, const char *backup)
{
    uint64_t seq, copied, damaged;
    check(estore_snapshot(store, backup, strlen(backup), NULL, NULL, &seq, &copied, NULL, &damaged, NULL, &err));
    printf("a snapshot up to event %" PRIu64 ", %s\n", seq, damaged == 0 ? "whole" : "of a damaged store");
    return copied;
}

static void show(const estore *store, const char *backup)
{
    estore *there = open_store(backup, ESTORE_MODE_READ_ONLY);
    printf("%" PRIu64 " events in the store, %" PRIu64 " in the snapshot\n", count(store), count(there));
    check(estore_close(&there, &err));
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "measured", *backup = argc > 2 ? argv[2] : "backup";
    estore *store = open_store(folder, ESTORE_MODE_CREATE_NEW);
    uint64_t first, second;

    measure(store, 0, 1000);
    first = take(store, backup);
    measure(store, 1000, 1200);
    show(store, backup);
    second = take(store, backup);
    show(store, backup);
    printf("the second one copied less: %s\n", second < first ? "yes" : "no");
    check(estore_close(&store, &err));
    return 0;
}
