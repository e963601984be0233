/* Compression: the same events from fewer bytes, read in either direction with no option; and back. */
#include "check.h"

enum { EVENTS = 2000 };

static void append_lines(estore *store, uint64_t first)
{
    char line[100];
    int i;
    for (i = 0; i < EVENTS; i++) {
        sprintf(line, "INFO request %d took %d us: GET /api/v1/items/%d", i, i * 37 % 5000, i % 90);
        append_text(store, first + (uint64_t)i, line);
    }
}

static void check_lines(estore *store, uint32_t direction)
{
    estore_iter *iter = NULL;
    estore_event event;
    uint64_t count;
    int i;
    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(count == 2 * EVENTS);
    OK(estore_read_iter(store, 0, UINT64_MAX, direction, 0, &iter, &err));
    for (i = 0; i < 2 * EVENTS; i++) {
        int number = direction == ESTORE_READ_REVERSE ? 2 * EVENTS - 1 - i : i;
        char line[100];
        OK(estore_iter_next(iter, &event, &err));
        CHECK(event.time == (uint64_t)(number % EVENTS) + (number < EVENTS ? 0 : 10000));
        sprintf(line, "INFO request %d took %d us: GET /api/v1/items/%d", number % EVENTS, number % EVENTS * 37 % 5000, number % EVENTS % 90);
        CHECK(has_data(&event, line));
    }
    ANSWERS(ESTORE_END, estore_iter_next(iter, &event, &err));
    OK(estore_iter_close(&iter, &err));
}

int main(void)
{
    estore_options *options = NULL;
    estore *store = NULL;
    uint64_t before = 0, after = 0, plain = 0, events = 0, damaged = 7;

    options = estore_options_new();
    CHECK(options != NULL);
    OK(estore_options_set_file_size_ns(options, 10000));
    OK(estore_options_set_compaction(options, 0));
    store = open_store("store", options);
    append_lines(store, 0);
    append_lines(store, 10000);
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, &before, &plain, &err));
    OK(estore_close(&store, &err));

    OK(estore_options_set_compression(options, ESTORE_COMPRESSION_LZ4, &err));
    store = open_store("store", options);
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, &before, &after, &err));
    CHECK(before == plain && after < before / 2);
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, &before, &after, &err));
    CHECK(before == 0 && after == 0);
    check_lines(store, ESTORE_READ_FORWARD);
    check_lines(store, ESTORE_READ_REVERSE);
    OK(estore_verify(store, NULL, NULL, &events, &damaged, &err));
    CHECK(events == 2 * EVENTS && damaged == 0);
    OK(estore_close(&store, &err));

    /* Reading needs no option. */
    store = open_store("store", NULL);
    check_lines(store, ESTORE_READ_FORWARD);
    OK(estore_close(&store, &err));

    OK(estore_options_set_compression(options, ESTORE_COMPRESSION_NONE, &err));
    store = open_store("store", options);
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, &before, &after, &err));
    CHECK(after == plain && before < after / 2);
    check_lines(store, ESTORE_READ_REVERSE);
    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return 0;
}
