/* Deleting old events: reads and counts start at the horizon at once and after reopening; later appends below it are skipped and counted;
 * an iterator that was open goes on as it was. */
#include "check.h"

int main(void)
{
    estore_options *options = estore_options_new();
    estore *store;
    estore_iter *before = NULL;
    estore_event events[2];
    uint64_t count = 0, stored = 0, present = 0, expired = 0, values[ESTORE_STAT_COUNT];
    size_t n = 0;

    OK(estore_options_set_file_size_ns(options, 10));
    store = open_store("store", options);
    append_text(store, 1, "a");
    append_text(store, 12, "b");
    append_text(store, 15, "c");
    append_text(store, 25, "d");
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &before, &err));

    OK(estore_delete_before(store, 15, &err));
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "c d") == 0);
    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(count == 2);
    CHECK(strcmp(all_data(before), "a b c d") == 0);

    events[0] = event_at(14, 1, "expired");
    events[1] = event_at(16, 1, "e");
    OK(estore_append_absent(store, events, 2, NULL, &stored, &present, &expired, &err));
    CHECK(stored == 1 && present == 0 && expired == 1);
    OK(estore_append(store, events, 1, NULL, &err)); /* skipped, not refused */
    OK(estore_stats(store, values, ESTORE_STAT_COUNT, &n, &err));
    CHECK(values[ESTORE_STAT_EXPIRED] == 2 && values[ESTORE_STAT_HORIZON] == 15);

    OK(estore_delete_before(store, 3, &err)); /* never backwards */
    OK(estore_close(&store, &err));
    store = open_store("store", options);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "c e d") == 0);
    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return 0;
}
