/* One writer at a time, also within one process. The second is refused at once, and told which folder. Readers need no lock. */
#include "check.h"

int main(void)
{
    estore *store = open_store("the-store", NULL), *second = NULL;
    estore_options *options = estore_options_new();

    append_text(store, 1, "a");
    ANSWERS(ESTORE_ERR_LOCKED, estore_open("the-store", 9, NULL, &second, &err));
    CHECK(second == NULL);
    CHECK(err.status == ESTORE_ERR_LOCKED);
    CHECK(strstr(err.message, "the-store") != NULL);
    ANSWERS(ESTORE_ERR_LOCKED, estore_open("the-store", 9, NULL, &second, NULL)); /* the detail is optional */

    OK(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    second = open_store("the-store", options);
    CHECK(strcmp(read_data(second, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a") == 0);
    {
        estore_event event = event_at(2, 2, "b");
        ANSWERS(ESTORE_ERR_READ_ONLY, estore_append(second, &event, 1, NULL, &err));
    }
    OK(estore_close(&second, &err));

    OK(estore_close(&store, &err));
    second = open_store("the-store", NULL);
    OK(estore_close(&second, &err));
    OK(estore_options_free(&options));
    return 0;
}
