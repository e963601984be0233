/* Newest first is the forward order reversed, exactly; the last n come without reading the rest; limits count from where reading starts. */
#include "check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    estore_iter *iter = NULL;

    append_text(store, 5, "e");
    append_text(store, 1, "a");
    append_text(store, 3, "c1");
    append_text(store, 3, "c2");
    append_text(store, 2, "b");

    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a b c1 c2 e") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_REVERSE, 0), "e c2 c1 b a") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 2), "a b") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_REVERSE, 2), "e c2") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_LAST, 2), "c2 e") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_LAST, 100), "a b c1 c2 e") == 0);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_LAST | ESTORE_READ_REVERSE, 2), "e c2") == 0);

    /* Ranges are inclusive at both ends. */
    CHECK(strcmp(read_data(store, 2, 3, ESTORE_READ_FORWARD, 0), "b c1 c2") == 0);
    CHECK(strcmp(read_data(store, 2, 3, ESTORE_READ_REVERSE, 0), "c2 c1 b") == 0);
    CHECK(strcmp(read_data(store, 2, 3, ESTORE_READ_LAST, 1), "c2") == 0);
    CHECK(strcmp(read_data(store, 4, 4, ESTORE_READ_FORWARD, 0), "") == 0);

    ANSWERS(ESTORE_ERR_INVALID, estore_read_iter(store, 0, 9, 8, 0, &iter, &err));                /* no such flag */
    ANSWERS(ESTORE_ERR_INVALID, estore_read_iter(store, 0, 9, ESTORE_READ_LAST, 0, &iter, &err)); /* the last how many? */
    ANSWERS(ESTORE_ERR_RANGE, estore_read_iter(store, 9, 8, ESTORE_READ_FORWARD, 0, &iter, &err));
    CHECK(iter == NULL);

    OK(estore_close(&store, &err));
    return 0;
}
