/* Compaction: the same events from one log with nothing late, told how far it is, stopped when asked to, and refused where it must be. */
#include "check.h"

struct told {
    estore *store;
    int calls;
    int stop_after;
    uint64_t done, events;
};

static int32_t on_progress(void *userdata, uint64_t done, uint64_t events)
{
    struct told *told = userdata;
    estore_event event = {1, 0, NULL, 0, 0};
    CHECK(done >= told->done && done <= events);
    told->done = done;
    told->events = events;
    told->calls++;
    ANSWERS(ESTORE_ERR_INVALID, estore_append(told->store, &event, 1, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_compact(told->store, 0, UINT64_MAX, NULL, NULL, NULL, NULL, &err));
    return told->calls == told->stop_after;
}

static void check_times(estore *store, const uint64_t *times, size_t n)
{
    estore_iter *iter = NULL;
    estore_event event;
    size_t i;
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    for (i = 0; i < n; i++) {
        OK(estore_iter_next(iter, &event, &err));
        CHECK(event.time == times[i]);
    }
    ANSWERS(ESTORE_END, estore_iter_next(iter, &event, &err));
    OK(estore_iter_close(&iter, &err));
}

int main(void)
{
    static const uint64_t TIMES[] = {5, 10, 1000, 1001, 1002}, MORE[] = {5, 7, 10, 1000, 1001, 1002};
    estore_options *options = NULL;
    estore *store = NULL, *beside = NULL;
    struct told told = {0};
    uint64_t before = 7, after = 7, stats[ESTORE_STAT_COUNT];
    size_t n = 0;

    options = estore_options_new();
    CHECK(options != NULL);
    OK(estore_options_set_grace_ns(options, 100));
    OK(estore_options_set_compaction(options, 0));
    store = open_store("store", options);
    append_text(store, 1000, "a");
    append_text(store, 1001, "b");
    append_text(store, 5, "late");
    append_text(store, 1002, "c");
    append_text(store, 10, "late too");
    OK(estore_stats(store, stats, ESTORE_STAT_COUNT, &n, &err));
    CHECK(stats[ESTORE_STAT_RECON_EVENTS] == 2 && stats[ESTORE_STAT_BACKLOG_BYTES] == 0);

    told.store = store;
    told.stop_after = 1;
    OK(estore_compact(store, 0, UINT64_MAX, on_progress, &told, &before, &after, &err));
    CHECK(told.calls == 1 && before == 0 && after == 0);
    check_times(store, TIMES, 5);
    told.calls = told.stop_after = 0;
    told.done = 0;
    OK(estore_compact(store, 0, UINT64_MAX, on_progress, &told, &before, &after, &err));
    CHECK(told.calls > 0 && told.done == 5 && told.events == 5 && before > after && after > 0);
    check_times(store, TIMES, 5);
    OK(estore_stats(store, stats, ESTORE_STAT_COUNT, &n, &err));
    CHECK(stats[ESTORE_STAT_RECON_EVENTS] == 0 && stats[ESTORE_STAT_LATE_EVENTS] == 2 && stats[ESTORE_STAT_LOG_BYTES] == after);

    /* There is nothing to do any more, until there is. */
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, &before, &after, &err));
    CHECK(before == 0 && after == 0);
    append_text(store, 7, "late again");
    check_times(store, MORE, 6);
    OK(estore_compact(store, 7, 7, NULL, NULL, NULL, &after, &err));
    CHECK(after > 0);
    check_times(store, MORE, 6);

    before = 7;
    ANSWERS(ESTORE_ERR_RANGE, estore_compact(store, 8, 7, NULL, NULL, &before, NULL, &err));
    OK(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    beside = open_store("store", options);
    ANSWERS(ESTORE_ERR_READ_ONLY, estore_compact(beside, 0, 7, NULL, NULL, &before, NULL, &err));
    CHECK(before == 7);
    check_times(beside, MORE, 6);
    OK(estore_close(&beside, &err));
    OK(estore_close(&store, &err));
    estore_options_free(&options);
    return 0;
}
