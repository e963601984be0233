/*
 * The smallest whole program: store three events out of order, read them back in order.
 *
 *     make lib
 *     cc -I include examples/c/quickstart.c -L target/release -lestore -Wl,-rpath,target/release -o quickstart
 *     ./quickstart
 *
 * It makes a folder quickstart-store here; run it again and there are six events.
 */
#include <estore.h>

#include <stdio.h>

static estore_error err = ESTORE_ERROR_INIT;

static int failed(void)
{
    fprintf(stderr, "quickstart: %s\n", err.message);
    return 1;
}

int main(void)
{
    estore *store = NULL;
    estore_iter *iter = NULL;
    estore_event event, events[3] = {
        {3000, 0, (const uint8_t *)"third", 5, 1},
        {1000, 0, (const uint8_t *)"first", 5, 1},
        {2000, 0, (const uint8_t *)"second", 6, 1},
    };
    estore_status status;

    if (estore_open("quickstart-store", 16, NULL, &store, &err) != ESTORE_OK)
        return failed();
    if (estore_append(store, events, 3, NULL, &err) != ESTORE_OK)
        return failed();
    if (estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err) != ESTORE_OK)
        return failed();
    while ((status = estore_iter_next(iter, &event, &err)) == ESTORE_OK)
        printf("%llu  %.*s\n", (unsigned long long)event.time, (int)event.len, (const char *)event.data);
    if (status != ESTORE_END)
        return failed();
    estore_iter_close(&iter, NULL);
    if (estore_close(&store, &err) != ESTORE_OK)
        return failed();
    return 0;
}
