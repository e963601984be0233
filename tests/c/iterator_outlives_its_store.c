/* An iterator goes on after its store was closed, even while a new writer appends; next and next_batch may be mixed and neither lose nor
 * repeat an event. */
#include "check.h"

#define EVENTS 1000

int main(void)
{
    static estore_event events[EVENTS];
    static char texts[EVENTS][8];
    estore *store = open_store("store", NULL);
    estore_iter *iter = NULL;
    estore_event batch[7];
    uint64_t seq = 0, last_seq = 0;
    size_t i, n, seen = 0;
    estore_status status = ESTORE_OK;

    for (i = 0; i < EVENTS; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", (unsigned)i);
        events[i] = event_at(i * SECOND, 1, texts[i]);
    }
    OK(estore_append(store, events, EVENTS, &last_seq, &err));
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_iter_snapshot_seq(iter, &seq, &err));
    CHECK(seq == last_seq);
    OK(estore_close(&store, &err));

    store = open_store("store", NULL);
    append_text(store, 5 * SECOND, "too late for this iterator");

    while (status == ESTORE_OK) {
        n = 1;
        if (seen % 3 == 0)
            status = estore_iter_next(iter, &batch[0], &err);
        else
            status = estore_iter_next_batch(iter, batch, 1 + seen % 7, &n, &err);
        for (i = 0; status == ESTORE_OK && i < n; i++, seen++)
            CHECK(seen < EVENTS && batch[i].time == seen * SECOND && has_data(&batch[i], texts[seen]));
    }
    ANSWERS(ESTORE_END, status);
    CHECK(seen == EVENTS);
    ANSWERS(ESTORE_END, estore_iter_next(iter, &batch[0], &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_batch(iter, batch, 0, &n, &err));
    OK(estore_iter_close(&iter, &err));
    OK(estore_close(&store, &err));
    return 0;
}
