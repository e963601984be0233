/* One bad event keeps its whole batch out, and what was to be answered is left as it was. */
#include "check.h"

int main(void)
{
    estore_options *options = estore_options_new();
    estore *store;
    estore_event events[3];
    uint64_t seq = 7, count = 7;

    OK(estore_options_set_file_size_ns(options, 10));
    OK(estore_options_set_max_event_len(options, 100));
    OK(estore_options_set_max_new_chunks(options, 2));
    store = open_store("store", options);
    events[0] = event_at(1, 1, "a");
    events[1] = event_at(2, 1, "b");
    events[2] = event_at(3, 1, "c");

    events[2].data = NULL;
    ANSWERS(ESTORE_ERR_INVALID, estore_append(store, events, 3, &seq, &err));
    CHECK(strstr(err.message, "event 2") != NULL);
    ANSWERS(ESTORE_ERR_INVALID, estore_append_absent(store, events, 3, &seq, &seq, &seq, &seq, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_append(store, NULL, 3, &seq, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_append(store, events, SIZE_MAX, &seq, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_append(store, events, SIZE_MAX / 32, &seq, &err));
    events[2] = event_at(3, 1, "c");
    events[1].len = 101; /* the length is refused before the data is looked at */
    ANSWERS(ESTORE_ERR_TOO_LARGE, estore_append(store, events, 3, &seq, &err));
    events[1].len = 1;
    events[1].time = 10;
    events[2].time = 20;
    ANSWERS(ESTORE_ERR_TOO_MANY_CHUNKS, estore_append(store, events, 3, &seq, &err));
    CHECK(seq == 7);

    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(count == 0);
    ANSWERS(ESTORE_ERR_RANGE, estore_count(store, 2, 1, &count, &err));
    CHECK(count == 0);
    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return 0;
}
