/* Wrong on purpose: one thread looks at the data of an event while another asks the iterator for the next. */
#define _POSIX_C_SOURCE 200809L
#include "../check.h"

#include <pthread.h>

static unsigned sum;

static void *look(void *event)
{
    const estore_event *shared = event;
    uint32_t i;
    for (i = 0; i < shared->len; i++)
        sum += shared->data[i];
    return NULL;
}

int main(void)
{
    estore *store = open_store("store", NULL);
    estore_iter *iter = NULL;
    estore_event event, next;
    pthread_t thread;

    append_text(store, 1, "looked at");
    append_text(store, 2, "the next");
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_iter_next(iter, &event, &err));
    CHECK(pthread_create(&thread, NULL, look, &event) == 0);
    OK(estore_iter_next(iter, &next, &err));
    CHECK(pthread_join(thread, NULL) == 0);
    OK(estore_iter_close(&iter, &err));
    OK(estore_close(&store, &err));
    return sum == 0;
}
