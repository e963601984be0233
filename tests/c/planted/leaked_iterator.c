/* Wrong on purpose: loses an iterator, and with it what it has read. */
#include "../check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    estore_iter *iter = NULL;
    estore_event event;

    append_text(store, 1, "a");
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_iter_next(iter, &event, &err));
    iter = NULL;
    OK(estore_close(&store, &err));
    return iter != NULL;
}
