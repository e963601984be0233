/* Work whose instructions are counted: `work CASE EVENTS`, in an empty folder. See tests/instructions.rs. */
#include <estore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define START (UINT64_C(1700000000) * SECOND)
#define DATA_LEN 100
#define BATCH 1000

static estore_error err = ESTORE_ERROR_INIT;

static void ok(estore_status status)
{
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", estore_strerror(status), err.message);
        exit(1);
    }
}

#define SEED UINT64_C(88172645463325252)
static uint64_t state = SEED;

/* xorshift64: the same numbers each time. */
static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* One event each 100 us, up to 10 ms too new; of `late_percent` of them a minute to ten too old. */
static void make(estore_event *events, size_t first, size_t n, unsigned late_percent)
{
    static uint8_t pool[1 << 16];
    size_t i;
    for (i = 0; i < n; i++) {
        uint64_t time = START + (first + i) * (SECOND / 10000) + random_number() % (SECOND / 100);
        if (random_number() % 100 < late_percent) {
            time -= 60 * SECOND + random_number() % (540 * SECOND);
        }
        events[i].time = time;
        events[i].seq = 0;
        events[i].id = (uint32_t)random_number();
        events[i].data = pool + (first + i) * DATA_LEN % (sizeof pool - DATA_LEN);
        events[i].len = DATA_LEN;
    }
}

static void append_all(estore *store, size_t events, size_t batch, unsigned late_percent)
{
    static estore_event array[BATCH];
    size_t first;
    for (first = 0; first + batch <= events; first += batch) {
        make(array, first, batch, late_percent);
        ok(estore_append(store, array, batch, NULL, &err));
    }
}

/* Appends what append_all appended, as far as it is not there; answers how much was there. */
static uint64_t append_all_again(estore *store, size_t events)
{
    static estore_event array[BATCH];
    uint64_t present = 0, sum = 0;
    size_t first;
    state = SEED;
    for (first = 0; first + BATCH <= events; first += BATCH) {
        make(array, first, BATCH, 0);
        ok(estore_append_absent(store, array, BATCH, NULL, NULL, &present, NULL, &err));
        sum += present;
    }
    return sum;
}

static uint64_t read_all(estore *store, uint64_t start, uint64_t end, uint32_t flags)
{
    static estore_event array[512];
    estore_iter *iter = NULL;
    uint64_t sum = 0;
    size_t n = 0;
    ok(estore_read_iter(store, start, end, flags, 0, &iter, &err));
    for (;;) {
        estore_status status = estore_iter_next_batch(iter, array, 512, &n, &err);
        ok(status);
        if (status == ESTORE_END) {
            break;
        }
        sum += n;
    }
    ok(estore_iter_close(&iter, &err));
    return sum;
}

int main(int argc, char **argv)
{
    const char *work = argc == 3 ? argv[1] : "";
    size_t events = argc == 3 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    int buffered = strcmp(work, "append-buffered") == 0;
    unsigned late_percent = strstr(work, "late") ? 50 : 0;
    estore_options *options = estore_options_new();
    estore *store = NULL;

    ok(estore_options_set_durability(options, buffered ? ESTORE_DURABILITY_BUFFERED : ESTORE_DURABILITY_PROCESS, 0));
    ok(estore_options_set_background(options, 0));
    ok(estore_options_set_grace_ns(options, 30 * SECOND));
    ok(estore_options_set_file_size_ns(options, 3600 * SECOND));
    ok(estore_open("store", 5, options, &store, &err));
    append_all(store, events, buffered || strcmp(work, "append-one") == 0 ? 1 : BATCH, late_percent);
    if (strncmp(work, "scan", 4) == 0) {
        if (read_all(store, 0, UINT64_MAX, strstr(work, "backward") ? ESTORE_READ_REVERSE : ESTORE_READ_FORWARD) != events) {
            return 1;
        }
    } else if (strcmp(work, "window") == 0) {
        size_t i;
        for (i = 0; i < 100; i++) {
            uint64_t start = START + random_number() % events * (SECOND / 10000);
            read_all(store, start, start + SECOND / 10 - 1, ESTORE_READ_FORWARD);
        }
    } else if (strcmp(work, "append-absent") == 0) {
        if (append_all_again(store, events) != events) {
            return 1;
        }
    } else if (strncmp(work, "append", 6) != 0) {
        fprintf(stderr, "no such work\n");
        return 1;
    }
    ok(estore_close(&store, &err));
    estore_options_free(&options);
    return 0;
}
