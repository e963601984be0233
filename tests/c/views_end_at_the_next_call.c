/* The data that an iterator lends ends at the next call on it. A debug build of the library overwrites it then, so that a program which
 * keeps it for too long fails in its tests; this program only finds out which of the two it runs with, and that new views are right. */
#include "check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    estore_iter *iter = NULL;
    estore_event first, second, batch[4];
    size_t n = 0, i;
    int debug_build;

    append_text(store, 1, "aaaa");
    append_text(store, 2, "bbbb");
    append_text(store, 3, "cccc");
    append_text(store, 4, "dddd");
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_iter_next(iter, &first, &err));
    CHECK(has_data(&first, "aaaa"));
    OK(estore_iter_next(iter, &second, &err));
    CHECK(has_data(&second, "bbbb"));
    debug_build = getenv("ESTORE_TEST_DEBUG_BUILD") != NULL;
    if (debug_build)
        CHECK(first.data[0] == 0xA5 && first.data[3] == 0xA5);

    /* The rest of what was taken ahead is not touched by that, and a batch gives it first. */
    OK(estore_iter_next_batch(iter, batch, 4, &n, &err));
    CHECK(n == 2 && has_data(&batch[0], "cccc") && has_data(&batch[1], "dddd"));
    if (debug_build)
        CHECK(second.data[0] == 0xA5);
    ANSWERS(ESTORE_END, estore_iter_next(iter, &first, &err));
    if (debug_build)
        for (i = 0; i < 4; i++)
            CHECK(batch[0].data[i] == 0xA5 && batch[1].data[i] == 0xA5);
    OK(estore_iter_close(&iter, &err));
    OK(estore_close(&store, &err));
    return 0;
}
