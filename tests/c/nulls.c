/* Every function with NULL for every pointer: a status, never a crash. Where NULL is allowed it does what the header says; where it isn't
 * the answer is ESTORE_ERR_INVALID and no output is touched. */
#include "check.h"

#define REFUSED(call)                                 \
    do {                                              \
        err.status = 0;                               \
        err.message[0] = '\0';                        \
        ANSWERS(ESTORE_ERR_INVALID, call);            \
    } while (0)

/* As above, and the call was given &err. */
#define REFUSED_WITH_REASON(call)                     \
    do {                                              \
        REFUSED(call);                                \
        CHECK(err.status == ESTORE_ERR_INVALID);      \
        CHECK(err.message[0] != '\0');                \
    } while (0)

static void without_handles(void)
{
    estore_event event = event_at(1, 1, "a");
    uint64_t ns = 7;

    CHECK(estore_strerror(0) != NULL && estore_version() != NULL && estore_version_number() > 0 && estore_now() > 0);
    CHECK(estore_event_id() != 0 || estore_event_id() != 0);
    CHECK(estore_stat_name(0) != NULL);
    REFUSED(estore_event_init(NULL, NULL, 0));
    REFUSED(estore_event_init(NULL, (const uint8_t *)"a", 1));
    REFUSED(estore_event_init(&event, NULL, 1));
    REFUSED_WITH_REASON(estore_duration_parse(NULL, 0, NULL, &err));
    REFUSED_WITH_REASON(estore_duration_parse(NULL, 0, &ns, &err));
    REFUSED_WITH_REASON(estore_duration_parse(NULL, 1, &ns, &err));
    REFUSED_WITH_REASON(estore_duration_parse("1s", 2, NULL, &err));
    REFUSED(estore_duration_parse(NULL, 1, NULL, NULL));
    CHECK(ns == 7);
}

static void options(void)
{
    estore_options *options = estore_options_new();
    REFUSED(estore_options_set_mode(NULL, 0));
    REFUSED(estore_options_set_durability(NULL, 0, 0));
    REFUSED(estore_options_set_file_size_ns(NULL, 1));
    REFUSED(estore_options_set_grace_ns(NULL, 1));
    REFUSED(estore_options_set_max_event_len(NULL, 1));
    REFUSED(estore_options_set_max_new_chunks(NULL, 1));
    REFUSED(estore_options_set_max_open_logs(NULL, 1));
    REFUSED(estore_options_set_buffer(NULL, 1, 1));
    REFUSED(estore_options_set_no_index(NULL, 0));
    REFUSED(estore_options_set_background(NULL, 0));
    REFUSED(estore_options_set_compaction(NULL, 0));
    REFUSED(estore_options_set_max_age_ns(NULL, 1));
    REFUSED(estore_options_set_max_bytes(NULL, 1));
    REFUSED_WITH_REASON(estore_options_set_compression(NULL, 0, &err));
    REFUSED(estore_options_set_compression(NULL, 0, NULL));
    REFUSED(estore_options_set_log(NULL, NULL, NULL));
    OK(estore_options_set_log(options, NULL, NULL));
    REFUSED(estore_options_free(NULL));
    OK(estore_options_free(&options));
    OK(estore_options_free(&options));
}

static void stores(void)
{
    estore *store = NULL, *none = NULL;
    estore_iter *iter = NULL;
    estore_event event = event_at(1, 1, "a");
    uint64_t number = 7;
    size_t n = 7;
    int fd = 7;

    REFUSED_WITH_REASON(estore_open(NULL, 0, NULL, NULL, &err));
    REFUSED_WITH_REASON(estore_open(NULL, 5, NULL, &store, &err));
    REFUSED_WITH_REASON(estore_open("store", 5, NULL, NULL, &err));
    REFUSED(estore_open(NULL, 0, NULL, NULL, NULL));
    OK(estore_open("store", 5, NULL, &store, NULL));

    REFUSED_WITH_REASON(estore_append(NULL, &event, 1, &number, &err));
    REFUSED_WITH_REASON(estore_append(NULL, NULL, 0, NULL, &err));
    REFUSED_WITH_REASON(estore_append(store, NULL, 1, &number, &err));
    REFUSED(estore_append(store, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(estore_append_absent(NULL, &event, 1, &number, &number, &number, &number, &err));
    REFUSED_WITH_REASON(estore_append_absent(store, NULL, 1, &number, &number, &number, &number, &err));
    REFUSED(estore_append_absent(NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_sync(NULL, &number, &err));
    REFUSED(estore_sync(NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_tick(NULL, &err));
    REFUSED(estore_tick(NULL, NULL));
    REFUSED_WITH_REASON(estore_last_seq(NULL, &number, &err));
    REFUSED_WITH_REASON(estore_last_seq(store, NULL, &err));
    REFUSED(estore_last_seq(NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_durable_seq(NULL, &number, &err));
    REFUSED_WITH_REASON(estore_durable_seq(store, NULL, &err));
    REFUSED(estore_durable_seq(NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_read_iter(NULL, 0, 1, 0, 0, &iter, &err));
    REFUSED_WITH_REASON(estore_read_iter(store, 0, 1, 0, 0, NULL, &err));
    REFUSED(estore_read_iter(NULL, 0, 1, 0, 0, NULL, NULL));
    REFUSED_WITH_REASON(estore_tail_iter(NULL, 0, &iter, &err));
    REFUSED_WITH_REASON(estore_tail_iter(store, 0, NULL, &err));
    REFUSED(estore_tail_iter(NULL, 0, NULL, NULL));
    REFUSED_WITH_REASON(estore_count(NULL, 0, 1, &number, &err));
    REFUSED_WITH_REASON(estore_count(store, 0, 1, NULL, &err));
    REFUSED(estore_count(NULL, 0, 1, NULL, NULL));
    REFUSED_WITH_REASON(estore_stats(NULL, &number, 1, &n, &err));
    REFUSED_WITH_REASON(estore_stats(store, NULL, 1, &n, &err));
    REFUSED_WITH_REASON(estore_stats(store, &number, 1, NULL, &err));
    REFUSED(estore_stats(NULL, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(estore_verify(NULL, NULL, NULL, &number, &number, &err));
    REFUSED(estore_verify(NULL, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_compact(NULL, 0, 1, NULL, NULL, &number, &number, &err));
    REFUSED(estore_compact(NULL, 0, 1, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_snapshot(NULL, "s", 1, NULL, NULL, &number, &number, &number, &number, NULL, &err));
    REFUSED_WITH_REASON(estore_snapshot(store, NULL, 1, NULL, NULL, &number, NULL, NULL, NULL, NULL, &err));
    REFUSED_WITH_REASON(estore_snapshot(store, NULL, 0, NULL, NULL, &number, NULL, NULL, NULL, NULL, &err));
    REFUSED(estore_snapshot(NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_splits(NULL, 0, 1, NULL, 0, &number, &err));
    REFUSED_WITH_REASON(estore_splits(store, 0, 1, NULL, 1, &number, &err));
    REFUSED_WITH_REASON(estore_splits(store, 0, 1, NULL, 0, NULL, &err));
    REFUSED(estore_splits(NULL, 0, 1, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(estore_delete_before(NULL, 1, &err));
    REFUSED(estore_delete_before(NULL, 1, NULL));
    REFUSED_WITH_REASON(estore_retain(NULL, 1, 1, 0, &number, &number, &number, &number, &err));
    REFUSED_WITH_REASON(estore_retain(store, 1, 1, 2, &number, &number, &number, &number, &err));
    REFUSED(estore_retain(NULL, 1, 1, 0, NULL, NULL, NULL, NULL, NULL));
    CHECK(number == 7 && n == 7 && iter == NULL);

    OK(estore_append(store, &event, 1, NULL, NULL));
    OK(estore_read_iter(store, 0, UINT64_MAX, 0, 0, &iter, NULL));
    REFUSED_WITH_REASON(estore_iter_next(NULL, &event, &err));
    REFUSED_WITH_REASON(estore_iter_next(iter, NULL, &err));
    REFUSED(estore_iter_next(NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_iter_next_batch(NULL, &event, 1, &n, &err));
    REFUSED_WITH_REASON(estore_iter_next_batch(iter, NULL, 1, &n, &err));
    REFUSED_WITH_REASON(estore_iter_next_batch(iter, &event, 1, NULL, &err));
    REFUSED(estore_iter_next_batch(NULL, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(estore_iter_next_columns(NULL, NULL, NULL, NULL, NULL, 1, NULL, 0, &n, &n, &err));
    REFUSED_WITH_REASON(estore_iter_next_columns(iter, NULL, NULL, NULL, NULL, 1, NULL, 0, NULL, &n, &err));
    REFUSED_WITH_REASON(estore_iter_next_columns(iter, NULL, NULL, NULL, &number, 1, NULL, 1, &n, &n, &err));
    REFUSED(estore_iter_next_columns(NULL, NULL, NULL, NULL, NULL, 1, NULL, 0, NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_iter_wait(NULL, 0, &err));
    REFUSED(estore_iter_wait(NULL, ESTORE_WAIT_FOREVER, NULL));
    REFUSED_WITH_REASON(estore_iter_fd(NULL, &fd, &err));
    REFUSED_WITH_REASON(estore_iter_fd(iter, NULL, &err));
    REFUSED(estore_iter_fd(NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_iter_snapshot_seq(NULL, &number, &err));
    REFUSED_WITH_REASON(estore_iter_snapshot_seq(iter, NULL, &err));
    REFUSED(estore_iter_snapshot_seq(NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_iter_gaps(NULL, NULL, NULL, &n, &err));
    REFUSED(estore_iter_gaps(NULL, NULL, NULL, NULL, NULL));
    CHECK(number == 7 && n == 7);
    OK(estore_iter_gaps(iter, NULL, NULL, NULL, NULL));
    OK(estore_verify(store, NULL, NULL, NULL, NULL, NULL));
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, NULL, NULL, NULL));
    OK(estore_retain(store, 1, 1, 1, NULL, NULL, NULL, NULL, NULL));
    OK(estore_retain(store, 1, 1, 0, NULL, NULL, NULL, NULL, NULL));
    OK(estore_snapshot(store, "of the store", 12, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    OK(estore_iter_next(iter, &event, NULL)); /* the refused calls took no event away */
    ANSWERS(ESTORE_END, estore_iter_next_batch(iter, &event, 1, &n, NULL));
    REFUSED_WITH_REASON(estore_iter_close(NULL, &err));
    REFUSED(estore_iter_close(NULL, NULL));
    OK(estore_iter_close(&iter, NULL));
    OK(estore_iter_close(&iter, NULL));

    REFUSED_WITH_REASON(estore_close(NULL, &err));
    REFUSED(estore_close(NULL, NULL));
    OK(estore_close(&none, &err));
    OK(estore_close(&store, NULL));
    REFUSED_WITH_REASON(estore_destroy(NULL, 0, NULL, &err));
    REFUSED_WITH_REASON(estore_destroy(NULL, 5, NULL, &err));
    REFUSED(estore_destroy(NULL, 5, NULL, NULL));
    OK(estore_destroy("store", 5, NULL, NULL));
}

static void replicas(void)
{
    estore *store = NULL;
    estore_exchange *exchange = NULL;
    estore_export *export = NULL;
    estore_bytes *bytes = NULL;
    estore_event event = event_at(1, 1, "a");
    const uint8_t *data = NULL;
    uint64_t numbers[6] = {7}, number = 7, stored = 7;
    size_t n = 7;

    OK(estore_open("store", 5, NULL, &store, NULL));
    REFUSED_WITH_REASON(estore_digest(NULL, 0, 1, 1, numbers, 2, &n, &number, &err));
    REFUSED_WITH_REASON(estore_digest(store, 0, 1, 1, NULL, 2, &n, &number, &err));
    REFUSED_WITH_REASON(estore_digest(store, 0, 1, 1, NULL, 0, &n, &number, &err));
    REFUSED(estore_digest(NULL, 0, 1, 1, NULL, 2, NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_repair(NULL, store, 0, 1, 0, NULL, NULL, NULL, &number, 1, &n, &err));
    REFUSED_WITH_REASON(estore_repair(store, NULL, 0, 1, 0, NULL, NULL, NULL, &number, 1, &n, &err));
    REFUSED_WITH_REASON(estore_repair(store, store, 0, 1, 0, NULL, NULL, NULL, NULL, 1, &n, &err));
    REFUSED(estore_repair(NULL, NULL, 0, 1, 0, NULL, NULL, NULL, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(estore_exchange_begin(NULL, 0, 1, 0, &exchange, &err));
    REFUSED_WITH_REASON(estore_exchange_begin(store, 0, 1, 0, NULL, &err));
    REFUSED(estore_exchange_begin(NULL, 0, 1, 0, NULL, NULL));
    REFUSED_WITH_REASON(estore_answer(NULL, (const uint8_t *)"x", 1, &bytes, &err));
    REFUSED_WITH_REASON(estore_answer(store, NULL, 1, &bytes, &err));
    REFUSED_WITH_REASON(estore_answer(store, (const uint8_t *)"x", 1, NULL, &err));
    REFUSED(estore_answer(NULL, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(estore_export_begin(NULL, 0, 1, 0, 0, &export, &err));
    REFUSED_WITH_REASON(estore_export_begin(store, 0, 1, 0, 0, NULL, &err));
    REFUSED(estore_export_begin(NULL, 0, 1, 0, 0, NULL, NULL));
    REFUSED_WITH_REASON(estore_import(NULL, (const uint8_t *)"x", 1, &number, &number, &number, &number, &err));
    REFUSED_WITH_REASON(estore_import(store, NULL, 1, &number, &number, &number, &number, &err));
    REFUSED(estore_import(NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL));
    CHECK(number == 7 && n == 7 && numbers[0] == 7 && exchange == NULL && export == NULL && bytes == NULL);
    OK(estore_digest(store, 0, 1, 1, numbers, 2, NULL, NULL, NULL));
    OK(estore_repair(store, store, 0, 1, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL));

    number = n = 7;
    REFUSED_WITH_REASON(estore_digest_differences(0, 1, 1, NULL, 0, numbers, 0, 2, NULL, 0, &n, &err));
    REFUSED_WITH_REASON(estore_digest_differences(0, 1, 1, numbers, 0, NULL, 0, 2, NULL, 0, &n, &err));
    REFUSED_WITH_REASON(estore_digest_differences(0, 1, 1, numbers, 0, numbers, 0, 2, NULL, 1, &n, &err));
    REFUSED_WITH_REASON(estore_digest_differences(0, 1, 1, numbers, 0, numbers, 0, 2, NULL, 0, NULL, &err));
    REFUSED(estore_digest_differences(0, 1, 1, NULL, 0, NULL, 0, 2, NULL, 1, NULL, NULL));

    OK(estore_append(store, &event, 1, NULL, NULL));
    OK(estore_exchange_begin(store, 0, 1, 0, &exchange, NULL));
    REFUSED_WITH_REASON(estore_exchange_request(NULL, &bytes, &err));
    REFUSED_WITH_REASON(estore_exchange_request(exchange, NULL, &err));
    REFUSED(estore_exchange_request(NULL, NULL, NULL));
    REFUSED_WITH_REASON(estore_exchange_reply(NULL, (const uint8_t *)"x", 1, &err));
    REFUSED_WITH_REASON(estore_exchange_reply(exchange, NULL, 1, &err));
    REFUSED(estore_exchange_reply(NULL, NULL, 1, NULL));
    REFUSED_WITH_REASON(estore_exchange_repaired(NULL, NULL, NULL, numbers, 6, &n, &err));
    REFUSED_WITH_REASON(estore_exchange_repaired(exchange, NULL, NULL, NULL, 6, &n, &err));
    REFUSED(estore_exchange_repaired(NULL, NULL, NULL, NULL, 6, NULL, NULL));
    OK(estore_exchange_repaired(exchange, NULL, NULL, NULL, 0, NULL, NULL));
    REFUSED_WITH_REASON(estore_exchange_close(NULL, &err));
    REFUSED(estore_exchange_close(NULL, NULL));
    OK(estore_exchange_close(&exchange, NULL));
    OK(estore_exchange_close(&exchange, &err));

    OK(estore_export_begin(store, 0, 1, 0, 0, &export, NULL));
    REFUSED_WITH_REASON(estore_export_next(NULL, 1, &bytes, &err));
    REFUSED_WITH_REASON(estore_export_next(export, 1, NULL, &err));
    REFUSED_WITH_REASON(estore_export_next(export, 0, &bytes, &err));
    REFUSED(estore_export_next(NULL, 0, NULL, NULL));
    REFUSED_WITH_REASON(estore_export_snapshot_seq(NULL, &number, &err));
    REFUSED_WITH_REASON(estore_export_snapshot_seq(export, NULL, &err));
    REFUSED_WITH_REASON(estore_export_gaps(NULL, NULL, NULL, &n, &err));
    OK(estore_export_gaps(export, NULL, NULL, NULL, NULL));
    CHECK(number == 7 && n == 7 && bytes == NULL);

    OK(estore_export_next(export, 1, &bytes, NULL));
    REFUSED_WITH_REASON(estore_bytes_view(NULL, &data, &n, &err));
    REFUSED_WITH_REASON(estore_bytes_view(bytes, NULL, &n, &err));
    REFUSED_WITH_REASON(estore_bytes_view(bytes, &data, NULL, &err));
    REFUSED(estore_bytes_view(NULL, NULL, NULL, NULL));
    CHECK(data == NULL && n == 7);
    OK(estore_bytes_view(bytes, &data, &n, NULL));
    OK(estore_import(store, data, n, NULL, &stored, NULL, NULL, NULL)); /* the refused calls took no event away */
    CHECK(n > 0 && stored == 0);
    OK(estore_import(store, data, n, NULL, NULL, NULL, NULL, NULL));
    REFUSED(estore_bytes_free(NULL));
    OK(estore_bytes_free(&bytes));
    OK(estore_bytes_free(&bytes));
    ANSWERS(ESTORE_END, estore_export_next(export, 1, &bytes, NULL));
    REFUSED_WITH_REASON(estore_export_close(NULL, &err));
    REFUSED(estore_export_close(NULL, NULL));
    OK(estore_export_close(&export, NULL));
    OK(estore_export_close(&export, &err));
    CHECK(bytes == NULL);
    OK(estore_close(&store, NULL));
    OK(estore_destroy("store", 5, NULL, NULL));
}

static void efiles(void)
{
    efile *file = NULL;
    estore_iter *iter = NULL;
    estore_exchange *exchange = NULL;
    estore_export *export = NULL;
    estore_bytes *bytes = NULL;
    const uint8_t *data = (const uint8_t *)"x";
    uint64_t numbers[6] = {7};
    estore_event event = event_at(1, 1, "a");
    uint64_t number = 7;
    size_t n = 7;

    REFUSED_WITH_REASON(efile_open(NULL, 0, NULL, NULL, &err));
    REFUSED_WITH_REASON(efile_open(NULL, 5, NULL, &file, &err));
    REFUSED_WITH_REASON(efile_open("efile", 5, NULL, NULL, &err));
    REFUSED(efile_open(NULL, 0, NULL, NULL, NULL));
    OK(efile_open("efile", 5, NULL, &file, NULL));
    REFUSED_WITH_REASON(efile_append(NULL, &event, 1, &number, &err));
    REFUSED_WITH_REASON(efile_append(file, NULL, 1, &number, &err));
    REFUSED(efile_append(NULL, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(efile_append_absent(NULL, &event, 1, &number, &number, &number, &number, &err));
    REFUSED_WITH_REASON(efile_append_absent(file, NULL, 1, &number, &number, &number, &number, &err));
    REFUSED(efile_append_absent(NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(efile_sync(NULL, &number, &err));
    REFUSED_WITH_REASON(efile_tick(NULL, &err));
    REFUSED_WITH_REASON(efile_last_seq(NULL, &number, &err));
    REFUSED_WITH_REASON(efile_last_seq(file, NULL, &err));
    REFUSED_WITH_REASON(efile_durable_seq(NULL, &number, &err));
    REFUSED_WITH_REASON(efile_durable_seq(file, NULL, &err));
    REFUSED_WITH_REASON(efile_read_iter(NULL, 0, 1, 0, 0, &iter, &err));
    REFUSED_WITH_REASON(efile_read_iter(file, 0, 1, 0, 0, NULL, &err));
    REFUSED_WITH_REASON(efile_tail_iter(NULL, 0, &iter, &err));
    REFUSED_WITH_REASON(efile_tail_iter(file, 0, NULL, &err));
    REFUSED_WITH_REASON(efile_count(NULL, 0, 1, &number, &err));
    REFUSED_WITH_REASON(efile_count(file, 0, 1, NULL, &err));
    REFUSED_WITH_REASON(efile_stats(NULL, &number, 1, &n, &err));
    REFUSED_WITH_REASON(efile_stats(file, NULL, 1, &n, &err));
    REFUSED_WITH_REASON(efile_stats(file, &number, 1, NULL, &err));
    REFUSED_WITH_REASON(efile_verify(NULL, NULL, NULL, &number, &number, &err));
    OK(efile_verify(file, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(efile_compact(NULL, 0, 1, NULL, NULL, &number, &number, &err));
    OK(efile_compact(file, 0, UINT64_MAX, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(efile_snapshot(NULL, "s", 1, NULL, NULL, &number, &number, &number, &number, NULL, &err));
    REFUSED_WITH_REASON(efile_snapshot(file, NULL, 1, NULL, NULL, &number, NULL, NULL, NULL, NULL, &err));
    OK(efile_snapshot(file, "of the efile", 12, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    REFUSED_WITH_REASON(efile_digest(NULL, 0, 1, 1, numbers, 2, &n, &number, &err));
    REFUSED_WITH_REASON(efile_digest(file, 0, 1, 1, NULL, 2, &n, &number, &err));
    REFUSED_WITH_REASON(efile_digest(file, 0, 1, 1, NULL, 0, &n, &number, &err));
    REFUSED(efile_digest(NULL, 0, 1, 1, NULL, 2, NULL, NULL, NULL));
    REFUSED_WITH_REASON(efile_repair(NULL, file, 0, 1, 0, NULL, NULL, NULL, &number, 1, &n, &err));
    REFUSED_WITH_REASON(efile_repair(file, NULL, 0, 1, 0, NULL, NULL, NULL, &number, 1, &n, &err));
    REFUSED_WITH_REASON(efile_repair(file, file, 0, 1, 0, NULL, NULL, NULL, NULL, 1, &n, &err));
    REFUSED(efile_repair(NULL, NULL, 0, 1, 0, NULL, NULL, NULL, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(efile_exchange_begin(NULL, 0, 1, 0, &exchange, &err));
    REFUSED_WITH_REASON(efile_exchange_begin(file, 0, 1, 0, NULL, &err));
    REFUSED(efile_exchange_begin(NULL, 0, 1, 0, NULL, NULL));
    REFUSED_WITH_REASON(efile_answer(NULL, data, 1, &bytes, &err));
    REFUSED_WITH_REASON(efile_answer(file, NULL, 1, &bytes, &err));
    REFUSED_WITH_REASON(efile_answer(file, data, 1, NULL, &err));
    REFUSED(efile_answer(NULL, NULL, 1, NULL, NULL));
    REFUSED_WITH_REASON(efile_export_begin(NULL, 0, 1, 0, 0, &export, &err));
    REFUSED_WITH_REASON(efile_export_begin(file, 0, 1, 0, 0, NULL, &err));
    REFUSED(efile_export_begin(NULL, 0, 1, 0, 0, NULL, NULL));
    REFUSED_WITH_REASON(efile_import(NULL, data, 1, &number, &number, &number, &number, &err));
    REFUSED_WITH_REASON(efile_import(file, NULL, 1, &number, &number, &number, &number, &err));
    REFUSED(efile_import(NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL));
    CHECK(number == 7 && n == 7 && numbers[0] == 7 && exchange == NULL && export == NULL && bytes == NULL);
    OK(efile_digest(file, 0, 1, 1, numbers, 2, NULL, NULL, NULL));
    OK(efile_repair(file, file, 0, 1, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL));
    REFUSED_WITH_REASON(efile_close(NULL, &err));
    REFUSED(efile_close(NULL, NULL));
    CHECK(number == 7 && n == 7 && iter == NULL);
    OK(efile_close(&file, NULL));
    OK(efile_close(&file, &err));
    REFUSED_WITH_REASON(efile_destroy(NULL, 0, NULL, &err));
    REFUSED(efile_destroy(NULL, 5, NULL, NULL));
    OK(efile_destroy("efile", 5, NULL, NULL));
}

int main(void)
{
    without_handles();
    options();
    stores();
    replicas();
    efiles();
    return 0;
}
