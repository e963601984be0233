/*
 * The cost of the language border, in C; benches/README.md says what is measured.
 *
 *     border append EVENTS    for each line, the path of a new store: appends the events to it, and prints the nanoseconds
 *     border scan STORE       for each line: reads all events, and prints the nanoseconds, the number of events and a sum over them
 */
#include <estore.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, LEN = 100, READ = 512 };

static estore_error err = ESTORE_ERROR_INIT;

static void must(int fine)
{
    if (!fine) {
        fprintf(stderr, "border.c: %s\n", err.message);
        exit(1);
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static estore *open_store(const char *path, int32_t mode)
{
    estore *store = NULL;
    estore_options *options = estore_options_new();
    must(estore_options_set_mode(options, mode) == ESTORE_OK);
    must(estore_options_set_durability(options, ESTORE_DURABILITY_PROCESS, 0) == ESTORE_OK);
    must(estore_open(path, strlen(path), options, &store, &err) == ESTORE_OK);
    estore_options_free(&options);
    return store;
}

static estore_event *make_events(size_t n)
{
    uint8_t *pool = malloc(BATCH * LEN);
    estore_event *events = malloc(n * sizeof *events);
    must(pool != NULL && events != NULL);
    for (size_t j = 0; j < BATCH * LEN; j++)
        pool[j] = (uint8_t)((j * 31 + j / LEN) % 251);
    for (uint64_t i = 0; i < n; i++) {
        estore_event e = {1700000000000000000 + i * 100000 + i * 7368787 % 10000000, 0, pool + i % BATCH * LEN, LEN, (uint32_t)i};
        events[i] = e;
    }
    return events;
}

/* The first batch makes the files of the chunk, and is not timed. */
static uint64_t append(const char *path, const estore_event *events, size_t n)
{
    estore *store = open_store(path, ESTORE_MODE_CREATE_NEW);
    must(estore_append(store, events, BATCH, NULL, &err) == ESTORE_OK);
    uint64_t start = now_ns();
    for (size_t i = BATCH; i < n; i += BATCH)
        must(estore_append(store, events + i, BATCH, NULL, &err) == ESTORE_OK);
    uint64_t took = now_ns() - start;
    must(estore_close(&store, &err) == ESTORE_OK);
    return took;
}

static uint64_t times_and_lengths(const estore_event *events, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += events[i].time + events[i].len;
    return sum;
}

static uint64_t everything(const estore_event *events, size_t n)
{
    uint64_t sum = times_and_lengths(events, n);
    for (size_t i = 0; i < n; i++) {
        sum += events[i].id;
        for (uint32_t j = 0; j < events[i].len; j++)
            sum += events[i].data[j];
    }
    return sum;
}

static void scan(estore *store, uint64_t (*sum_of)(const estore_event *, size_t))
{
    estore_event events[READ];
    estore_iter *iter = NULL;
    estore_status status;
    size_t n;
    uint64_t count = 0, sum = 0, start = now_ns();
    must(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err) == ESTORE_OK);
    while ((status = estore_iter_next_batch(iter, events, READ, &n, &err)) == ESTORE_OK) {
        count += n;
        sum += sum_of(events, n);
    }
    must(status == ESTORE_END);
    estore_iter_close(&iter, NULL);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", now_ns() - start, count, sum);
}

int main(int argc, char **argv)
{
    char line[4096];
    if (argc != 3)
        return 2;
    int appends = strcmp(argv[1], "append") == 0;
    size_t n = appends ? strtoull(argv[2], NULL, 10) : 0;
    estore_event *events = appends ? make_events(n) : NULL;
    estore *store = appends ? NULL : open_store(argv[2], ESTORE_MODE_READ_ONLY);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (appends)
            printf("%" PRIu64 "\n", append(line, events, n));
        else
            scan(store, strcmp(line, "check") == 0 ? everything : times_and_lengths);
        fflush(stdout);
    }
}
