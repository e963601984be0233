/* Wrong on purpose: looks at the data of an event after the iterator that lent it was closed. */
#include "../check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    estore_iter *iter = NULL;
    estore_event event;

    append_text(store, 1, "a");
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_iter_next(iter, &event, &err));
    OK(estore_close(&store, &err));
    OK(estore_iter_close(&iter, &err));
    printf("%d\n", event.data[0]);
    return 0;
}
