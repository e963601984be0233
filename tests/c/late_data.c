/* An event that comes long after its time is read in its place, by readers that start after it was appended; a reader that started
 * before never sees it. */
#include "check.h"

int main(void)
{
    estore_options *options = estore_options_new();
    estore_iter *before = NULL;
    estore *store;
    uint64_t values[ESTORE_STAT_COUNT], count = 0;
    size_t n = 0;

    OK(estore_options_set_grace_ns(options, SECOND));
    store = open_store("store", options);
    append_text(store, 10 * SECOND, "a");
    append_text(store, 20 * SECOND, "b");
    append_text(store, 30 * SECOND, "c");
    append_text(store, 31 * SECOND, "d");

    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &before, &err));
    append_text(store, 15 * SECOND, "late");
    CHECK(strcmp(all_data(before), "a b c d") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a late b c d") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_REVERSE, 0), "d c b late a") == 0);
    CHECK(strcmp(read_data(store, 15 * SECOND, 15 * SECOND, ESTORE_READ_FORWARD, 0), "late") == 0);
    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(count == 5);
    OK(estore_stats(store, values, ESTORE_STAT_COUNT, &n, &err));
    CHECK(values[ESTORE_STAT_LATE_EVENTS] == 1);
    CHECK(values[ESTORE_STAT_GRACE_NS] == SECOND);

    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return 0;
}
