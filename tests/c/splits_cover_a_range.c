/* A range is cut at chunk borders; the pieces together give exactly the range. */
#include "check.h"

int main(void)
{
    estore_options *options = estore_options_new();
    estore *store;
    uint64_t bounds[8], pieces = 0, i, count, sum = 0;

    OK(estore_options_set_file_size_ns(options, 10));
    store = open_store("store", options);
    for (i = 0; i < 40; i++)
        append_text(store, i, "x");

    OK(estore_splits(store, 5, 34, NULL, 0, &pieces, &err)); /* how many? */
    CHECK(pieces == 4);
    OK(estore_splits(store, 5, 34, bounds, 4, &pieces, &err));
    CHECK(pieces == 4);
    CHECK(bounds[0] == 5 && bounds[1] == 9);
    CHECK(bounds[2] == 10 && bounds[3] == 19);
    CHECK(bounds[4] == 20 && bounds[5] == 29);
    CHECK(bounds[6] == 30 && bounds[7] == 34);
    for (i = 0; i < pieces; i++) {
        OK(estore_count(store, bounds[2 * i], bounds[2 * i + 1], &count, &err));
        sum += count;
    }
    CHECK(sum == 30);

    /* A short array gets the first pieces; the rest of it is left alone. */
    bounds[2] = 77;
    OK(estore_splits(store, 0, 39, bounds, 1, &pieces, &err));
    CHECK(pieces == 4 && bounds[0] == 0 && bounds[1] == 9 && bounds[2] == 77);
    OK(estore_splits(store, 7, 7, bounds, 4, &pieces, &err));
    CHECK(pieces == 1 && bounds[0] == 7 && bounds[1] == 7);

    /* All of time; the last chunk is a short one. */
    OK(estore_splits(store, 0, UINT64_MAX, bounds, 1, &pieces, &err));
    CHECK(pieces == UINT64_MAX / 10 + 1);
    ANSWERS(ESTORE_ERR_RANGE, estore_splits(store, 2, 1, bounds, 4, &pieces, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_splits(store, 0, 1, NULL, 4, &pieces, &err));
    OK(estore_close(&store, &err));
    OK(estore_destroy("store", 5, NULL, &err));

    /* With chunks of one nanosecond there are more pieces than the answer can say. */
    OK(estore_options_set_file_size_ns(options, 1));
    store = open_store("store", options);
    OK(estore_splits(store, 0, UINT64_MAX, bounds, 2, &pieces, &err));
    CHECK(pieces == UINT64_MAX && bounds[2] == 1 && bounds[3] == 1);
    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return 0;
}
