/* Sending a batch again stores nothing twice. Plain append keeps repeats. */
#include "check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    estore_event events[4];
    uint64_t last = 0, again = 0, stored = 9, present = 9, expired = 9;

    events[0] = event_at(1, 1, "a");
    events[1] = event_at(1, 2, "a"); /* another id: another event */
    events[2] = event_at(1, 1, "b"); /* other data: another event */
    events[3] = event_at(1, 1, "a"); /* twice in the batch */
    OK(estore_append_absent(store, events, 4, &last, &stored, &present, &expired, &err));
    CHECK(stored == 3 && present == 1 && expired == 0);
    OK(estore_append_absent(store, events, 4, &again, &stored, &present, &expired, &err));
    CHECK(stored == 0 && present == 4 && expired == 0 && again == last);
    OK(estore_append_absent(store, events, 4, NULL, NULL, NULL, NULL, &err));
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a a b") == 0);

    OK(estore_append(store, events, 1, NULL, &err));
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a a b a") == 0);
    OK(estore_close(&store, &err));
    return 0;
}
