/* Any number of threads use one store at once: two append, one reads meanwhile and only ever sees whole batches. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

#define BATCHES 50

static estore *store;

static void *append_pairs(void *argument)
{
    uint32_t id = *(uint32_t *)argument;
    estore_event pair[2];
    estore_error mine = ESTORE_ERROR_INIT;
    uint64_t i;
    for (i = 0; i < BATCHES; i++) {
        pair[0] = event_at(2 * i, id, "one");
        pair[1] = event_at(2 * i + 1, id, "other");
        CHECK(estore_append(store, pair, 2, NULL, &mine) == ESTORE_OK);
    }
    return NULL;
}

static void *count_pairs(void *argument)
{
    estore_error mine = ESTORE_ERROR_INIT;
    uint64_t count = 0;
    (void)argument;
    while (count < 4 * BATCHES) {
        CHECK(estore_count(store, 0, UINT64_MAX, &count, &mine) == ESTORE_OK);
        CHECK(count % 2 == 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    uint32_t ids[2] = {1, 2};

    store = open_store("store", NULL);
    CHECK(pthread_create(&threads[0], NULL, append_pairs, &ids[0]) == 0);
    CHECK(pthread_create(&threads[1], NULL, append_pairs, &ids[1]) == 0);
    CHECK(pthread_create(&threads[2], NULL, count_pairs, NULL) == 0);
    CHECK(pthread_join(threads[0], NULL) == 0);
    CHECK(pthread_join(threads[1], NULL) == 0);
    CHECK(pthread_join(threads[2], NULL) == 0);
    OK(estore_close(&store, &err));
    return 0;
}
