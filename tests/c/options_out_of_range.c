/* A setter refuses a value that can't work and leaves the options as they were. A store keeps the settings that it was made with. */
#include "check.h"

int main(void)
{
    estore_options *options = estore_options_new();
    estore *store = NULL;
    estore_event event = event_at(1, 1, "12345678");
    uint64_t values[ESTORE_STAT_COUNT];
    size_t n = 0;

    OK(estore_options_set_mode(options, ESTORE_MODE_CREATE_NEW));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_mode(options, 4));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_mode(options, -1));
    OK(estore_options_set_durability(options, ESTORE_DURABILITY_BUFFERED, 0));
    OK(estore_options_set_durability(options, ESTORE_DURABILITY_POWER, 0));
    OK(estore_options_set_durability(options, ESTORE_DURABILITY_INTERVAL, SECOND));
    OK(estore_options_set_durability(options, ESTORE_DURABILITY_PROCESS, 0));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_durability(options, ESTORE_DURABILITY_INTERVAL, 0));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_durability(options, 4, SECOND));
    OK(estore_options_set_file_size_ns(options, 10));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_file_size_ns(options, 0));
    OK(estore_options_set_grace_ns(options, 0));
    OK(estore_options_set_grace_ns(options, 5));
    OK(estore_options_set_max_event_len(options, 1 << 30));
    OK(estore_options_set_max_event_len(options, 7));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_max_event_len(options, (1 << 30) + 1));
    OK(estore_options_set_max_new_chunks(options, 1));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_max_new_chunks(options, 0));
    OK(estore_options_set_max_open_logs(options, 1));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_max_open_logs(options, 0));
    OK(estore_options_set_buffer(options, 4096, SECOND));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_buffer(options, 0, SECOND));
    OK(estore_options_set_no_index(options, 1));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_no_index(options, 2));
    OK(estore_options_set_background(options, 0));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_background(options, -1));
    OK(estore_options_set_compaction(options, 0));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_compaction(options, 2));
    OK(estore_options_set_max_age_ns(options, UINT64_MAX));
    OK(estore_options_set_max_bytes(options, UINT64_MAX));
    OK(estore_options_set_compression(options, ESTORE_COMPRESSION_NONE, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_compression(options, 2, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_compression(options, -1, NULL));
    CHECK(strstr(err.message, "2 is no compression") != NULL);

    /* What was set last and was right is what counts. */
    store = open_store("store", options);
    OK(estore_stats(store, values, ESTORE_STAT_COUNT, &n, &err));
    CHECK(values[ESTORE_STAT_FILE_SIZE_NS] == 10 && values[ESTORE_STAT_GRACE_NS] == 5);
    ANSWERS(ESTORE_ERR_TOO_LARGE, estore_append(store, &event, 1, NULL, &err));
    event.len = 7;
    OK(estore_append(store, &event, 1, NULL, &err));
    OK(estore_tick(store, &err));
    OK(estore_close(&store, &err));

    ANSWERS(ESTORE_ERR_EXISTS, estore_open("store", 5, options, &store, &err));
    OK(estore_options_set_mode(options, ESTORE_MODE_EXISTING));
    OK(estore_options_set_file_size_ns(options, 11));
    ANSWERS(ESTORE_ERR_SETTINGS, estore_open("store", 5, options, &store, &err));
    CHECK(strstr(err.message, "store") != NULL);
    CHECK(store == NULL);
    OK(estore_options_free(&options));
    CHECK(options == NULL);
    OK(estore_options_free(&options));

    /* Without options, what the store was made with. */
    store = open_store("store", NULL);
    OK(estore_stats(store, values, ESTORE_STAT_COUNT, &n, &err));
    CHECK(values[ESTORE_STAT_FILE_SIZE_NS] == 10 && values[ESTORE_STAT_GRACE_NS] == 5);
    OK(estore_close(&store, &err));
    return 0;
}
