/* What a callback may call: one for findings its own store, one for messages any other store, one for gaps all but its iterator, which
 * refuses it. */
#include "check.h"

struct seen {
    estore *store;
    estore_iter *iter;
    int calls;
    int stop_after;
};

static int32_t on_finding(void *userdata, int32_t kind, const char *path, size_t path_len, uint64_t offset, uint64_t len, const char *what,
                          size_t what_len)
{
    struct seen *seen = userdata;
    uint64_t count = 0, events = 0, number = 0;

    (void)kind, (void)path, (void)path_len, (void)offset, (void)len, (void)what, (void)what_len;
    if (++seen->calls == seen->stop_after)
        return 1;
    append_text(seen->store, 100 * DAY, "found"); /* a chunk of its own, and of those that are verified none */
    OK(estore_count(seen->store, 100 * DAY, UINT64_MAX, &count, &err));
    CHECK(count > 0);
    CHECK(strncmp(read_data(seen->store, 100 * DAY, UINT64_MAX, ESTORE_READ_FORWARD, 0), "found", 5) == 0);
    OK(estore_sync(seen->store, &number, &err));
    if (seen->stop_after == 0) {
        struct seen inner = {NULL, NULL, 0, 1};
        inner.store = seen->store;
        OK(estore_verify(seen->store, on_finding, &inner, &events, NULL, &err));
        CHECK(inner.calls == 1);
    }
    return 0;
}

static void on_gap(void *userdata, const char *path, size_t path_len, uint64_t offset, uint64_t len, uint64_t first_time,
                   uint64_t last_time, const char *what, size_t what_len)
{
    struct seen *seen = userdata;
    estore_event event;
    uint64_t number = 7;
    size_t n = 7;

    (void)path, (void)path_len, (void)offset, (void)len, (void)first_time, (void)last_time, (void)what, (void)what_len;
    seen->calls++;
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next(seen->iter, &event, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_batch(seen->iter, &event, 1, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_gaps(seen->iter, NULL, NULL, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_snapshot_seq(seen->iter, &number, &err));
    CHECK(n == 7 && number == 7);
    CHECK(strcmp(read_data(seen->store, 0, 2 * DAY, ESTORE_READ_SALVAGE, 0), "one ten") == 0);
}

/* Writes the messages of one store into another. */
static void on_message(void *userdata, int32_t level, const char *message, size_t len)
{
    struct seen *seen = userdata;
    estore_event event;

    (void)level;
    seen->calls++;
    OK(estore_event_init(&event, (const uint8_t *)message, len));
    OK(estore_append(seen->store, &event, 1, NULL, &err));
    OK(estore_sync(seen->store, NULL, &err));
    CHECK(strstr(read_data(seen->store, 0, UINT64_MAX, ESTORE_READ_LAST, 1), message) != NULL);
}

int main(void)
{
    /* A log begins with 64 bytes; each of these events takes a frame of 64 bytes and its data. */
    enum { LOG_HEADER = 64, FRAME = 64 + 3 };
    estore_options *options = estore_options_new();
    estore *messages = open_store("messages", NULL), *store;
    struct seen seen = {NULL, NULL, 0, 0};
    estore_event event;
    uint64_t events = 0, damaged = 0;
    size_t gaps = 0;

    seen.store = messages;
    OK(estore_options_set_log(options, on_message, &seen));
    store = open_store("store", options);
    append_text(store, 1, "old");
    append_text(store, DAY + 10, "one");
    append_text(store, DAY + 20, "two");
    append_text(store, DAY + 30, "six");
    append_text(store, DAY + 40, "ten");
    OK(estore_delete_before(store, DAY, &err));
    CHECK(seen.calls > 0);
    OK(estore_count(messages, 0, UINT64_MAX, &events, &err));
    CHECK(events == (uint64_t)seen.calls);

    flip("store/1-0.estore", LOG_HEADER + FRAME + 64);
    flip("store/1-0.estore", LOG_HEADER + 2 * FRAME + 64);
    seen.store = store;
    seen.calls = 0;
    OK(estore_verify(store, on_finding, &seen, &events, &damaged, &err));
    CHECK(seen.calls == 2 && damaged == 2);
    seen.calls = 0;
    seen.stop_after = 2;
    OK(estore_verify(store, on_finding, &seen, NULL, &damaged, &err));
    CHECK(seen.calls == 2);

    OK(estore_read_iter(store, 0, 2 * DAY, ESTORE_READ_SALVAGE, 0, &seen.iter, &err));
    while (estore_iter_next(seen.iter, &event, &err) == ESTORE_OK)
        continue;
    seen.calls = 0;
    OK(estore_iter_gaps(seen.iter, on_gap, &seen, &gaps, &err));
    CHECK(gaps == 2 && seen.calls == 2);
    OK(estore_iter_close(&seen.iter, &err));

    seen.store = messages; /* for what closing may have to say */
    OK(estore_close(&store, &err));
    OK(estore_close(&messages, &err));
    OK(estore_options_free(&options));
    return 0;
}
