/* An efile: one log of any time range, call by call like an estore. */
#include "check.h"

int main(void)
{
    efile *file = NULL;
    estore *store = NULL;
    estore_iter *iter = NULL;
    estore_options *options = estore_options_new();
    estore_event events[3];
    uint64_t seq = 0, durable = 0, count = 0, stored = 0, present = 0, expired = 9, values[ESTORE_STAT_COUNT];
    size_t n = 0;

    OK(efile_open("efile", 5, options, &file, &err));
    events[0] = event_at(300 * DAY, 1, "c");
    events[1] = event_at(0, 1, "a");
    events[2] = event_at(1, 1, "b");
    OK(efile_append(file, events, 3, &seq, &err));
    CHECK(seq >= 3);
    OK(efile_append_absent(file, events, 3, &seq, &stored, &present, &expired, &err));
    CHECK(stored == 0 && present == 3 && expired == 0);
    OK(efile_sync(file, &durable, &err));
    CHECK(durable == seq);
    OK(efile_last_seq(file, &seq, &err));
    CHECK(durable == seq);
    OK(efile_durable_seq(file, &durable, &err));
    CHECK(durable == seq);
    OK(efile_tick(file, &err));
    OK(efile_count(file, 0, 1, &count, &err));
    CHECK(count == 2);
    OK(efile_stats(file, values, ESTORE_STAT_COUNT, &n, &err));
    CHECK(n >= ESTORE_STAT_COUNT && values[ESTORE_STAT_EVENTS] == 3 && values[ESTORE_STAT_FILE_SIZE_NS] == 0);
    CHECK(values[ESTORE_STAT_OLDEST] == 0 && values[ESTORE_STAT_NEWEST] == 300 * DAY);

    OK(efile_read_iter(file, 0, UINT64_MAX, ESTORE_READ_REVERSE, 0, &iter, &err));
    CHECK(strcmp(all_data(iter), "c b a") == 0);
    iter = NULL;
    OK(efile_read_iter(file, 0, UINT64_MAX, ESTORE_READ_LAST, 2, &iter, &err));
    ANSWERS(ESTORE_ERR_LOCKED, efile_destroy("efile", 5, NULL, &err));
    OK(efile_close(&file, &err));
    OK(efile_close(&file, &err));
    CHECK(strcmp(all_data(iter), "b c") == 0);

    /* The two kinds of store don't open each other's folders, and only one has chunks. */
    ANSWERS(ESTORE_ERR_NOT_A_STORE, estore_open("efile", 5, NULL, &store, &err));
    OK(estore_options_set_file_size_ns(options, DAY));
    ANSWERS(ESTORE_ERR_INVALID, efile_open("other", 5, options, &file, &err));

    OK(efile_destroy("efile", 5, NULL, &err));
    ANSWERS(ESTORE_ERR_NOT_FOUND, efile_destroy("efile", 5, NULL, &err));
    OK(estore_options_free(&options));
    return 0;
}
