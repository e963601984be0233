/*
 * Follows a store that another process writes, and handles each event once, in the order in which they arrived, late ones too. The seq of the
 * last event that was handled is kept in a file, so that the next run goes on where this one ended.
 *
 * Build and run it from the top of the repository, after `make lib`, beside a program that writes to the store:
 *
 *     cc -std=c99 -Iinclude examples/c/follow.c -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o follow
 *     ./follow logs cursor [events]
 *
 * It ends after so many events; without a number it never does.
 */
#include <estore.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 100

static estore_error err = ESTORE_ERROR_INIT;

static estore_status check(estore_status status)
{
    if (status < 0) {
        fprintf(stderr, "follow: %s\n", err.message[0] != '\0' ? err.message : estore_strerror(status));
        exit(1);
    }
    return status;
}

static uint64_t read_cursor(const char *path)
{
    uint64_t cursor = 0;
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%" SCNu64, &cursor) != 1)
            cursor = 0;
        fclose(file);
    }
    return cursor;
}

/* Whole or not at all, whenever this program ends. */
static void write_cursor(const char *path, uint64_t cursor)
{
    char draft[4096];
    FILE *file;
    int fine;
    snprintf(draft, sizeof draft, "%s.new", path);
    file = fopen(draft, "w");
    fine = file != NULL && fprintf(file, "%" PRIu64 "\n", cursor) > 0;
    fine = file != NULL && fclose(file) == 0 && fine && rename(draft, path) == 0;
    if (!fine) {
        perror("follow: the cursor could not be kept");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    estore_options *options = estore_options_new();
    estore *store = NULL;
    estore_iter *tail = NULL;
    estore_event events[BATCH];
    uint64_t left = argc > 3 ? strtoull(argv[3], NULL, 10) : UINT64_MAX;
    size_t n, i;

    if (argc < 3 || options == NULL) {
        fprintf(stderr, "usage: follow FOLDER CURSOR [EVENTS]\n");
        return 2;
    }
    check(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    check(estore_open(argv[1], strlen(argv[1]), options, &store, &err));
    check(estore_tail_iter(store, read_cursor(argv[2]), &tail, &err));
    while (left > 0) {
        switch (check(estore_iter_next_batch(tail, events, left < BATCH ? (size_t)left : BATCH, &n, &err))) {
        case ESTORE_TIMEOUT: /* nothing for now */
            check(estore_iter_wait(tail, ESTORE_WAIT_FOREVER, &err));
            break;
        case ESTORE_GAP:
            puts("events were deleted before they came here");
            break;
        default:
            for (i = 0; i < n; i++)
                printf("%" PRIu64 ": %.*s\n", events[i].seq, (int)events[i].len, (const char *)events[i].data);
            fflush(stdout);
            write_cursor(argv[2], events[n - 1].seq);
            left -= n;
        }
    }
    check(estore_iter_close(&tail, &err));
    check(estore_close(&store, &err));
    estore_options_free(&options);
    return 0;
}
