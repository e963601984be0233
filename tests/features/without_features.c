/* A build without features, on a store that another build has made: chunk 0 is compressed, chunk 1 is not, each from 0 to 1999. All but
 * looking into chunk 0 and comparing by hashes works; these say what is missing, and take nothing for damage. */
#include "check.h"

static unsigned told;

static int32_t on_finding(void *userdata, int32_t kind, const char *path, size_t path_len, uint64_t offset, uint64_t len, const char *what,
                          size_t what_len)
{
    (void)userdata, (void)kind, (void)path_len, (void)offset, (void)len, (void)what_len;
    fprintf(stderr, "%s: %s\n", path, what);
    told++;
    return 0;
}

/* The call is refused for want of the feature, and says where. */
#define LACKS(call)                                                                                                 \
    do {                                                                                                            \
        ANSWERS(ESTORE_ERR_MISSING_FEATURE, call);                                                                  \
        CHECK(strstr(err.message, "\"lz4\"") != NULL && strstr(err.message, "0-1.estore") != NULL);                 \
    } while (0)

static void lacks_chunk_0(estore *store, uint32_t flags)
{
    estore_iter *iter = NULL;
    estore_event event;
    size_t gaps = 7;
    OK(estore_read_iter(store, 0, 1999, flags, 0, &iter, &err));
    LACKS(estore_iter_next(iter, &event, &err));
    LACKS(estore_iter_next(iter, &event, &err));
    OK(estore_iter_gaps(iter, NULL, NULL, &gaps, &err));
    CHECK(gaps == 0);
    OK(estore_iter_close(&iter, &err));
}

#define CANNOT_HASH(call)                                                                                           \
    do {                                                                                                            \
        ANSWERS(ESTORE_ERR_MISSING_FEATURE, call);                                                                  \
        CHECK(strstr(err.message, "\"digest\"") != NULL);                                                           \
    } while (0)

/* Replicas of their own. The message is one that another build has made. */
static void replicas(const char *message_path)
{
    estore *one = open_store("one", NULL), *other = open_store("other", NULL);
    estore_exchange *exchange = NULL;
    estore_export *export = NULL;
    estore_bytes *bytes = NULL;
    uint64_t numbers[3] = {7, 7, 7}, copied[2] = {7, 7};
    static uint8_t message[4096];
    FILE *file = fopen(message_path, "rb");
    const uint8_t *data;
    size_t len;

    CHECK(file != NULL && (len = fread(message, 1, sizeof message, file)) > 0 && fclose(file) == 0);
    append_text(other, 1, "a");
    CANNOT_HASH(estore_digest(one, 0, 9, 10, numbers, 1, NULL, NULL, &err));
    CANNOT_HASH(estore_exchange_begin(one, 0, 9, 0, &exchange, &err));
    CANNOT_HASH(estore_answer(other, message, len, &bytes, &err));
    CHECK(numbers[0] == 7 && exchange == NULL && bytes == NULL);
    OK(estore_repair(one, other, 0, 9, 0, NULL, NULL, NULL, copied, 2, NULL, &err));
    CHECK(copied[ESTORE_REPAIRED_TO_COPIED] == 1);
    OK(estore_export_begin(one, 0, 9, 0, 0, &export, &err));
    OK(estore_export_next(export, 1000, &bytes, &err));
    OK(estore_bytes_view(bytes, &data, &len, &err));
    OK(estore_import(other, data, len, NULL, NULL, &copied[0], NULL, &err));
    CHECK(copied[0] == 1);
    OK(estore_bytes_free(&bytes));
    OK(estore_export_close(&export, &err));
    OK(estore_close(&one, &err));
    OK(estore_close(&other, &err));
}

int main(int argc, char **argv)
{
    estore_options *options = estore_options_new();
    estore *store = NULL;
    estore_iter *iter = NULL;
    estore_event event = event_at(1000, 1, "absent?");
    uint64_t count = 0;
    int chunk_1 = 0;

    CHECK(argc == 3 && options != NULL);
    replicas(argv[2]);
    ANSWERS(ESTORE_ERR_MISSING_FEATURE, estore_options_set_compression(options, ESTORE_COMPRESSION_LZ4, &err));
    CHECK(strstr(err.message, "\"lz4\"") != NULL);
    OK(estore_options_set_compression(options, ESTORE_COMPRESSION_NONE, &err));

    OK(estore_open(argv[1], strlen(argv[1]), NULL, &store, &err));
    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(count == 4000);
    OK(estore_read_iter(store, 1000000, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    while (estore_iter_next(iter, &event, &err) == ESTORE_OK)
        CHECK(event.time == 1000000 + (uint64_t)chunk_1++);
    CHECK(chunk_1 == 2000);
    OK(estore_iter_close(&iter, &err));

    lacks_chunk_0(store, ESTORE_READ_FORWARD);
    lacks_chunk_0(store, ESTORE_READ_REVERSE);
    lacks_chunk_0(store, ESTORE_READ_SALVAGE);
    LACKS(estore_count(store, 3, 1000, &count, &err));
    OK(estore_tail_iter(store, 0, &iter, &err));
    LACKS(estore_iter_next(iter, &event, &err));
    OK(estore_iter_close(&iter, &err));
    LACKS(estore_verify(store, on_finding, NULL, NULL, NULL, &err));
    CHECK(told == 0);
    event = event_at(1000, 1, "absent?");
    LACKS(estore_append_absent(store, &event, 1, NULL, NULL, NULL, NULL, &err));
    OK(estore_compact(store, 0, 1999, NULL, NULL, &count, NULL, &err));
    CHECK(count == 0);

    /* What comes goes to a log of its own, which can't be merged with the one before. */
    append_text(store, 500, "late");
    append_text(store, 1000000 + 2000, "on");
    LACKS(estore_compact(store, 0, 1999, NULL, NULL, NULL, NULL, &err));
    lacks_chunk_0(store, ESTORE_READ_FORWARD);
    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return 0;
}
