/* What is appended comes back: every field, in order of time, equal times in the order in which they were appended. Also after the store
 * was closed and opened again, and in batches of any size. */
#include "check.h"

static void read_back(const estore *store, size_t capacity)
{
    static const char *expected[] = {"", "first", "second", "equal, a", "equal, b", "last"};
    static const uint64_t times[] = {0, 10, 20, 30, 30, UINT64_MAX};
    estore_event events[8];
    estore_iter *iter = NULL;
    estore_status status;
    size_t n = 0, seen = 0, i;

    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    while ((status = estore_iter_next_batch(iter, events, capacity, &n, &err)) == ESTORE_OK) {
        CHECK(n >= 1 && n <= capacity);
        for (i = 0; i < n; i++, seen++) {
            CHECK(seen < 6);
            CHECK(events[i].time == times[seen]);
            CHECK(events[i].id == 100 + seen);
            CHECK(events[i].seq > 0);
            CHECK(has_data(&events[i], expected[seen]));
        }
    }
    ANSWERS(ESTORE_END, status);
    ANSWERS(ESTORE_END, estore_iter_next_batch(iter, events, capacity, &n, &err));
    CHECK(seen == 6);
    OK(estore_iter_close(&iter, &err));
}

int main(void)
{
    estore_event events[6];
    uint64_t last_seq = 0, again = 0;
    size_t capacity;
    estore *store = open_store("store", NULL);

    events[0] = event_at(20, 102, "second");
    events[1] = event_at(UINT64_MAX, 105, "last");
    events[2] = event_at(30, 103, "equal, a");
    events[3] = event_at(10, 101, "first");
    events[4] = event_at(30, 104, "equal, b");
    events[5] = event_at(0, 100, "");
    events[5].data = NULL; /* without a length, the pointer is ignored */
    OK(estore_append(store, events, 6, &last_seq, &err));
    CHECK(last_seq >= 6);
    OK(estore_append(store, NULL, 0, &again, &err)); /* an empty batch changes nothing */
    CHECK(again == last_seq);

    for (capacity = 1; capacity <= 8; capacity++)
        read_back(store, capacity);
    OK(estore_close(&store, &err));

    store = open_store("store", NULL);
    read_back(store, 4);
    OK(estore_close(&store, &err));
    return 0;
}
