/* Wrong on purpose: uses a store that was closed, through a copy of the pointer. */
#include "../check.h"

int main(void)
{
    estore *store = open_store("store", NULL), *copy = store;
    uint64_t n = 0;

    append_text(store, 1, "a");
    OK(estore_close(&store, &err));
    estore_count(copy, 0, UINT64_MAX, &n, &err);
    return 0;
}
