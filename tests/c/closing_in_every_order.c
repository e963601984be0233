/* Store, options and two iterators may be closed in any order, and twice. The variable is NULL after its first close. */
#include "check.h"

static estore *store;
static estore_options *options;
static estore_iter *iter, *other;

static void close_one(char which)
{
    switch (which) {
    case 's':
        OK(estore_close(&store, &err));
        CHECK(store == NULL);
        break;
    case 'o':
        OK(estore_options_free(&options));
        CHECK(options == NULL);
        break;
    case 'i':
        OK(estore_iter_close(&iter, &err));
        CHECK(iter == NULL);
        break;
    default:
        OK(estore_iter_close(&other, &err));
        CHECK(other == NULL);
        break;
    }
}

static void run(const char *order)
{
    estore_event event;
    const char *c;

    options = estore_options_new();
    CHECK(options != NULL);
    store = open_store("store", options);
    append_text(store, 1, "a");
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_REVERSE, 0, &other, &err));
    OK(estore_iter_next(iter, &event, &err));
    for (c = order; *c != '\0'; c++)
        close_one(*c);
    for (c = order; *c != '\0'; c++)
        close_one(*c);
}

static void permute(char *order, size_t done)
{
    size_t i;
    if (done == strlen(order)) {
        run(order);
        return;
    }
    for (i = done; order[i] != '\0'; i++) {
        char kept = order[i];
        order[i] = order[done];
        order[done] = kept;
        permute(order, done + 1);
        order[done] = order[i];
        order[i] = kept;
    }
}

int main(void)
{
    char order[] = "soix";
    permute(order, 0);

    /* A closed variable is NULL, which every other call refuses. */
    ANSWERS(ESTORE_ERR_INVALID, estore_sync(store, NULL, &err));
    return 0;
}
