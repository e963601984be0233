/* Retention: old chunks go by age and by size, on request, in a dry run, by a tick and by the store itself, and are refused where they must be. */
#include "check.h"

#include <sched.h>

#define CHUNK ((uint64_t)1000)
/* An event of this time comes from a broken clock. */
#define FAR_AHEAD ((uint64_t)18429000000000000000u)

static void fill(estore *store, uint64_t first, uint64_t last)
{
    uint64_t chunk;
    for (chunk = first; chunk <= last; chunk++) {
        append_text(store, chunk * CHUNK + 5, "early");
        append_text(store, chunk * CHUNK + 995, "late in its chunk");
    }
}

static uint64_t stat_of(estore *store, size_t which)
{
    uint64_t values[ESTORE_STAT_COUNT];
    size_t n;
    OK(estore_stats(store, values, ESTORE_STAT_COUNT, &n, &err));
    return values[which];
}

int main(void)
{
    estore_options *options = estore_options_new(), *reading = estore_options_new();
    estore *store = NULL, *beside = NULL;
    efile *file = NULL;
    uint64_t horizon = 7, chunks = 7, events = 7, bytes = 7, before, count;

    CHECK(options != NULL && reading != NULL);
    OK(estore_options_set_file_size_ns(options, CHUNK));
    OK(estore_options_set_grace_ns(options, 10));
    OK(estore_options_set_background(options, 0));
    OK(estore_options_set_mode(reading, ESTORE_MODE_READ_ONLY));
    store = open_store("store", options);
    fill(store, 0, 9);
    append_text(store, FAR_AHEAD, "a broken clock");

    /* Without a limit nothing goes. */
    OK(estore_retain(store, 0, 0, 0, &horizon, &chunks, &events, &bytes, &err));
    CHECK(horizon == 0 && chunks == 0 && events == 0 && bytes == 0);

    /* A dry run tells what the run then does. */
    before = stat_of(store, ESTORE_STAT_CHUNK_BYTES);
    OK(estore_retain(store, 7 * CHUNK, 0, 1, &horizon, &chunks, &events, &bytes, &err));
    CHECK(horizon == 2 * CHUNK && chunks == 2 && events == 4 && bytes > 0);
    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(count == 21 && stat_of(store, ESTORE_STAT_HORIZON) == 0);
    OK(estore_retain(store, 7 * CHUNK, 0, 0, NULL, NULL, NULL, NULL, &err));
    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(count == 17 && stat_of(store, ESTORE_STAT_HORIZON) == horizon);
    CHECK(stat_of(store, ESTORE_STAT_CHUNK_BYTES) == before - bytes && stat_of(store, ESTORE_STAT_REMOVED_CHUNKS) == 2);

    /* By size, down to what is live. */
    OK(estore_retain(store, 0, before / 2, 0, &horizon, &chunks, &events, &bytes, &err));
    CHECK(chunks >= 3 && chunks <= 5 && stat_of(store, ESTORE_STAT_CHUNK_BYTES) <= before / 2);
    OK(estore_retain(store, 0, 1, 0, &horizon, NULL, NULL, NULL, &err));
    CHECK(horizon == 9 * CHUNK && stat_of(store, ESTORE_STAT_CHUNKS) == 2);

    /* What must be refused. */
    horizon = chunks = 7;
    ANSWERS(ESTORE_ERR_INVALID, estore_retain(store, 1, 1, -1, &horizon, &chunks, NULL, NULL, &err));
    beside = open_store("store", reading);
    ANSWERS(ESTORE_ERR_READ_ONLY, estore_retain(beside, 1, 1, 1, &horizon, &chunks, NULL, NULL, &err));
    CHECK(horizon == 7 && chunks == 7);
    OK(estore_close(&beside, &err));
    OK(estore_close(&store, &err));

    /* By the options, when it is due. */
    OK(estore_options_set_max_age_ns(options, 2 * CHUNK));
    OK(estore_options_set_max_bytes(options, UINT64_MAX));
    store = open_store("by tick", options);
    fill(store, 0, 5);
    CHECK(stat_of(store, ESTORE_STAT_CHUNKS) == 6);
    OK(estore_tick(store, &err));
    CHECK(stat_of(store, ESTORE_STAT_CHUNKS) == 3 && stat_of(store, ESTORE_STAT_HORIZON) == 3 * CHUNK);
    OK(estore_close(&store, &err));
    OK(estore_options_set_background(options, 1));
    store = open_store("by itself", options);
    fill(store, 0, 5);
    while (stat_of(store, ESTORE_STAT_REMOVED_CHUNKS) < 3)
        sched_yield();
    CHECK(stat_of(store, ESTORE_STAT_HORIZON) == 3 * CHUNK);
    OK(estore_close(&store, &err));

    /* An efile has one chunk. */
    OK(estore_options_free(&options));
    options = estore_options_new();
    OK(estore_options_set_max_bytes(options, 1));
    ANSWERS(ESTORE_ERR_INVALID, efile_open("file", 4, options, &file, &err));
    CHECK(file == NULL && strstr(err.message, "efile") != NULL);
    OK(estore_options_set_max_bytes(options, 0));
    OK(efile_open("file", 4, options, &file, &err));
    OK(efile_close(&file, &err));
    OK(estore_options_free(&options));
    OK(estore_options_free(&reading));
    return 0;
}
