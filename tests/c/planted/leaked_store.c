/* Wrong on purpose: loses a store that it has opened. */
#include "../check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    append_text(store, 1, "a");
    store = NULL;
    return store != NULL;
}
