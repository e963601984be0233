/* Stats are an array by number, which grows at its end only; each number has a name. */
#include "check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    uint64_t values[ESTORE_STAT_COUNT + 10], seq = 0;
    size_t n = 0, i;

    append_text(store, 5, "abc");
    append_text(store, 7, "abc");
    append_text(store, DAY, "abc");
    OK(estore_stats(store, NULL, 0, &n, &err)); /* how many? */
    CHECK(n >= ESTORE_STAT_COUNT);
    for (i = 0; i < ESTORE_STAT_COUNT + 10; i++)
        values[i] = 77;
    OK(estore_stats(store, values, 4, &n, &err));
    CHECK(n >= ESTORE_STAT_COUNT && values[ESTORE_STAT_EVENTS] == 3 && values[4] == 77);
    OK(estore_stats(store, values, ESTORE_STAT_COUNT + 10, &n, &err));
    CHECK(n < ESTORE_STAT_COUNT + 10 ? values[n] == 77 : 1);
    CHECK(values[ESTORE_STAT_FILE_SIZE_NS] == DAY);
    CHECK(values[ESTORE_STAT_CHUNKS] == 2);
    CHECK(values[ESTORE_STAT_OLDEST] == 5 && values[ESTORE_STAT_NEWEST] == DAY);
    CHECK(values[ESTORE_STAT_DAMAGED_REGIONS] == 0);
    OK(estore_last_seq(store, &seq, &err));
    CHECK(values[ESTORE_STAT_LAST_SEQ] == seq);
    OK(estore_sync(store, NULL, &err));
    OK(estore_durable_seq(store, &seq, &err));
    CHECK(values[ESTORE_STAT_LAST_SEQ] == seq);

    for (i = 0; i < n; i++)
        CHECK(estore_stat_name(i) != NULL && estore_stat_name(i)[0] != '\0');
    CHECK(estore_stat_name(n) == NULL && estore_stat_name(SIZE_MAX) == NULL);
    CHECK(strcmp(estore_stat_name(ESTORE_STAT_LATE_EVENTS), "late_events") == 0);
    OK(estore_close(&store, &err));
    return 0;
}
