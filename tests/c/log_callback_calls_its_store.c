/* A log callback that calls the store whose message it receives is refused, also where the store holds its locks, and so is closing it or
 * the iterator that reads. */
#include "check.h"

struct seen {
    estore *store;
    estore_iter *iter;
    int calls;
};

static void on_message(void *userdata, int32_t level, const char *message, size_t len)
{
    struct seen *seen = userdata;
    estore_event event = event_at(1, 1, "from within");
    estore_iter *iter = NULL;
    uint64_t number = 7, values[ESTORE_STAT_COUNT];
    size_t n = 7;

    (void)level, (void)message, (void)len;
    if (seen->store == NULL)
        return; /* of opening */
    seen->calls++;
    ANSWERS(ESTORE_ERR_INVALID, estore_append(seen->store, &event, 1, NULL, &err));
    CHECK(strstr(err.message, "calls the store") != NULL);
    ANSWERS(ESTORE_ERR_INVALID, estore_append_absent(seen->store, &event, 1, NULL, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_sync(seen->store, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_tick(seen->store, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_count(seen->store, 0, UINT64_MAX, &number, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_read_iter(seen->store, 0, UINT64_MAX, 0, 0, &iter, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_stats(seen->store, values, ESTORE_STAT_COUNT, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_verify(seen->store, NULL, NULL, &number, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_delete_before(seen->store, 1, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_close(&seen->store, &err));
    CHECK(seen->store != NULL && iter == NULL && number == 7 && n == 7);
    OK(estore_last_seq(seen->store, &number, &err));
    OK(estore_durable_seq(seen->store, &number, &err));
    if (seen->iter != NULL) {
        ANSWERS(ESTORE_ERR_INVALID, estore_iter_next(seen->iter, &event, &err));
        ANSWERS(ESTORE_ERR_INVALID, estore_iter_close(&seen->iter, &err));
        CHECK(seen->iter != NULL);
    }
}

int main(void)
{
    estore_options *options = estore_options_new();
    struct seen seen = {NULL, NULL, 0};
    estore_event event;
    uint64_t number = 0, time;

    OK(estore_options_set_log(options, on_message, &seen));
    seen.store = open_store("store", options);
    append_text(seen.store, 1, "old");
    for (time = 0; time < 100; time++) {
        append_text(seen.store, 2 * DAY + time, "new");
        append_text(seen.store, DAY + time, "late");
    }
    append_text(seen.store, 3 * DAY, "newest");
    OK(estore_delete_before(seen.store, DAY, &err));
    CHECK(seen.calls > 0);
    seen.calls = 0;
    OK(estore_read_iter(seen.store, 2 * DAY, UINT64_MAX, 0, 0, &seen.iter, &err));
    /* The log under the index: the damage shows while the chunk is locked. */
    flip("store/2-0.estore", 64 + 5);
    while (estore_iter_next(seen.iter, &event, &err) == ESTORE_OK)
        continue;
    OK(estore_iter_close(&seen.iter, &err));
    ANSWERS(ESTORE_ERR_CORRUPT, estore_count(seen.store, 2 * DAY + 1, 2 * DAY + 2, &number, &err));
    CHECK(seen.calls > 0);
    seen.calls = 0;
    OK(estore_close(&seen.store, &err));
    OK(estore_options_free(&options));
    return 0;
}
