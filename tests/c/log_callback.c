/* A store tells its messages to whom its options name, and nobody else. */
#include "check.h"

struct heard {
    int calls;
    int wrong;
    int named; /* messages that name the log */
};

static void listen(void *userdata, int32_t level, const char *message, size_t len)
{
    struct heard *heard = (struct heard *)userdata;
    heard->calls++;
    if (level < ESTORE_LOG_ERROR || level > ESTORE_LOG_INFO || len == 0 || strlen(message) != len)
        heard->wrong++;
    if (strstr(message, "0-0.estore") != NULL)
        heard->named++;
}

int main(void)
{
    struct heard heard = {0, 0, 0};
    estore_options *options = estore_options_new();
    estore *store;
    FILE *file;
    int calls;

    OK(estore_options_set_background(options, 0));
    OK(estore_options_set_log(options, listen, &heard));
    store = open_store("store", options);
    append_text(store, 1, "a");
    OK(estore_close(&store, &err));

    /* Bytes that are no part of the log are worth a message, and nothing that was stored is lost. */
    file = fopen("store/0-0.estore", "ab");
    CHECK(file != NULL);
    CHECK(fwrite("torn", 1, 4, file) == 4);
    CHECK(fclose(file) == 0);
    store = open_store("store", options);
    append_text(store, 2, "b");
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a b") == 0);
    OK(estore_close(&store, &err));
    CHECK(heard.named >= 1);
    CHECK(heard.wrong == 0);

    calls = heard.calls;
    OK(estore_options_set_log(options, NULL, NULL));
    store = open_store("store", options);
    OK(estore_close(&store, &err));
    CHECK(heard.calls == calls);
    OK(estore_options_free(&options));
    return 0;
}
