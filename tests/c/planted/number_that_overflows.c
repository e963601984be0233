/* Wrong on purpose: counts the seconds of a century in an int. */
#include "../check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    uint64_t count = 0;
    int seconds = 36525 * 24;

    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    seconds *= 3600 + (int)count; /* the compiler can't know */
    OK(estore_close(&store, &err));
    return seconds == 0;
}
