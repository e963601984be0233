/*
 * Late data at work: a sensor whose network was down delivers its last half hour at once, and sends it again since nobody answered. Readers
 * find every reading in its place, once; the stats tell what was late.
 *
 * Build and run it from the top of the repository, after `make lib`:
 *
 *     cc -std=c99 -Iinclude examples/c/late_data.c -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o late_data
 *     ./late_data [folder]
 *
 * The folder must not exist yet; it is `sensors` unless you say otherwise.
 */
#include <estore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define NOON (1700049600 * SECOND)

enum { CELLAR = 1, ROOF = 2 }; /* as ids: readings of two sensors are never the same event */

static estore_error err = ESTORE_ERROR_INIT;

static void check(estore_status status)
{
    if (status < 0) {
        fprintf(stderr, "late_data: %s\n", err.message[0] != '\0' ? err.message : estore_strerror(status));
        exit(1);
    }
}

static estore_event reading(uint64_t time, const char *text, uint32_t sensor)
{
    estore_event event = {0, 0, NULL, 0, 0};
    event.time = time;
    event.data = (const uint8_t *)text;
    event.len = (uint32_t)strlen(text);
    event.id = sensor;
    return event;
}

static void print_stats(const char *what, const estore *store)
{
    uint64_t values[ESTORE_STAT_COUNT] = {0};
    size_t known;
    check(estore_stats(store, values, ESTORE_STAT_COUNT, &known, &err));
    printf("%s: %llu events, %llu of them late\n", what, (unsigned long long)values[ESTORE_STAT_EVENTS],
           (unsigned long long)values[ESTORE_STAT_LATE_EVENTS]);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "sensors";
    estore_options *options = estore_options_new();
    estore *store = NULL;
    estore_iter *iter = NULL, *before = NULL;
    estore_event event, batch[31];
    char texts[31][16];
    uint64_t stored, present, events = 0;
    estore_status status;
    unsigned i;

    /* What lies at most two minutes behind the newest is in time. What is later costs a little more to store, and reads the same. */
    check(estore_options_set_mode(options, ESTORE_MODE_CREATE_NEW));
    check(estore_options_set_grace_ns(options, 2 * MINUTE));
    check(estore_open(folder, strlen(folder), options, &store, &err));
    estore_options_free(&options);

    /* For an hour the cellar reports each minute. */
    for (i = 0; i < 60; i++) {
        event = reading(NOON + i * MINUTE, "cellar 12.0", CELLAR);
        check(estore_append(store, &event, 1, NULL, &err));
    }
    print_stats("the cellar alone", store);
    check(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &before, &err));

    /* The roof comes back and delivers what it has measured from 12:30 on. */
    for (i = 0; i < 30; i++) {
        snprintf(texts[i], sizeof texts[i], "roof %u.5", 20 + i);
        batch[i] = reading(NOON + (30 + i) * MINUTE + 20 * SECOND, texts[i], ROOF);
    }
    check(estore_append(store, batch, 30, NULL, &err));
    print_stats("the roof is back", store);

    /* It got no answer and sends all again, with one reading more. */
    batch[30] = reading(NOON + 61 * MINUTE, "roof 50.5", ROOF);
    check(estore_append_absent(store, batch, 31, NULL, &stored, &present, NULL, &err));
    printf("sent again: %llu stored, %llu there already\n", (unsigned long long)stored, (unsigned long long)present);

    printf("from 12:40 to 12:42:\n");
    check(estore_read_iter(store, NOON + 40 * MINUTE, NOON + 42 * MINUTE, ESTORE_READ_FORWARD, 0, &iter, &err));
    while ((status = estore_iter_next(iter, &event, &err)) == ESTORE_OK)
        printf("  %u min: %.*s\n", (unsigned)((event.time - NOON) / MINUTE), (int)event.len, (const char *)event.data);
    check(status);
    estore_iter_close(&iter, NULL);

    /* An iterator shows the moment at which it was made. */
    while ((status = estore_iter_next(before, &event, &err)) == ESTORE_OK)
        events += event.id == CELLAR;
    check(status);
    estore_iter_close(&before, NULL);
    printf("a reader from before still sees %llu events\n", (unsigned long long)events);
    check(estore_close(&store, &err));
    return 0;
}
