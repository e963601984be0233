/* A forked child can't use its parent's handles, only close them; closing there touches neither the parent's lock nor its files, so the
 * parent goes on unharmed. The child may open stores of its own, with options that it inherited. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static estore *store;
static efile *file;
static estore_iter *iter, *tail;
static estore_options *options;
static estore_exchange *exchange;
static estore_export *export;
static estore_bytes *bytes;

static void child(void)
{
    estore_event event = event_at(9, 9, "from the child");
    uint64_t n = 7;
    size_t count = 7;
    int fd = 7;
    estore_iter *none = NULL;
    estore_bytes *no_bytes = NULL;
    estore_exchange *no_exchange = NULL;
    estore_export *no_export = NULL;
    const uint8_t *data = NULL;
    uint64_t numbers[3] = {7, 7, 7};
    estore *locked = NULL, *own = NULL;

    ANSWERS(ESTORE_ERR_FORKED, estore_append(store, &event, 1, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_append(store, NULL, 0, NULL, NULL));
    ANSWERS(ESTORE_ERR_FORKED, estore_append_absent(store, &event, 1, NULL, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_sync(store, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_tick(store, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_last_seq(store, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_durable_seq(store, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_read_iter(store, 0, 9, ESTORE_READ_FORWARD, 0, &none, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_tail_iter(store, 0, &none, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_count(store, 0, 9, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_stats(store, NULL, 0, &count, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_verify(store, NULL, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_splits(store, 0, 9, NULL, 0, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_delete_before(store, 1, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_append(file, &event, 1, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_append_absent(file, &event, 1, NULL, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_sync(file, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_tick(file, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_last_seq(file, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_durable_seq(file, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_read_iter(file, 0, 9, ESTORE_READ_FORWARD, 0, &none, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_tail_iter(file, 0, &none, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_count(file, 0, 9, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_stats(file, NULL, 0, &count, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_verify(file, NULL, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_next(iter, &event, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_next_batch(iter, &event, 1, &count, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_wait(iter, ESTORE_WAIT_FOREVER, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_fd(tail, &fd, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_snapshot_seq(iter, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_next(tail, &event, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_wait(tail, ESTORE_WAIT_FOREVER, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_iter_gaps(iter, NULL, NULL, &count, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_digest(store, 0, 1, 2, numbers, 1, NULL, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_repair(store, store, 0, 9, 0, NULL, NULL, NULL, numbers, 3, &count, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_exchange_begin(store, 0, 9, 0, &no_exchange, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_answer(store, NULL, 0, &no_bytes, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_export_begin(store, 0, 9, 0, 0, &no_export, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_import(store, NULL, 0, &n, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_digest(file, 0, 1, 2, numbers, 1, NULL, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_repair(file, file, 0, 9, 0, NULL, NULL, NULL, numbers, 3, &count, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_exchange_begin(file, 0, 9, 0, &no_exchange, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_answer(file, NULL, 0, &no_bytes, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_export_begin(file, 0, 9, 0, 0, &no_export, &err));
    ANSWERS(ESTORE_ERR_FORKED, efile_import(file, NULL, 0, &n, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_exchange_request(exchange, &no_bytes, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_exchange_reply(exchange, NULL, 0, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_exchange_repaired(exchange, NULL, NULL, numbers, 3, &count, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_export_next(export, 1, &no_bytes, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_export_snapshot_seq(export, &n, &err));
    ANSWERS(ESTORE_ERR_FORKED, estore_export_gaps(export, NULL, NULL, &count, &err));
    CHECK(numbers[0] == 7 && no_bytes == NULL && no_exchange == NULL && no_export == NULL);
    CHECK(count == 7 && none == NULL);
    CHECK(n == 7);
    /* Bytes are memory and nothing else. */
    OK(estore_bytes_view(bytes, &data, &count, &err));
    CHECK(data != NULL && count > 0);
    OK(estore_bytes_free(&bytes));
    OK(estore_exchange_close(&exchange, &err));
    OK(estore_export_close(&export, &err));
    CHECK(exchange == NULL && export == NULL && bytes == NULL);
    OK(estore_close(&store, &err));
    OK(efile_close(&file, &err));
    OK(estore_iter_close(&iter, &err));
    OK(estore_iter_close(&tail, &err));
    CHECK(store == NULL && file == NULL && iter == NULL && tail == NULL);

    /* The parent still holds its lock. */
    ANSWERS(ESTORE_ERR_LOCKED, estore_open("store", 5, options, &locked, &err));
    own = open_store("own", options);
    append_text(own, 1, "a");
    OK(estore_close(&own, &err));
}

int main(void)
{
    estore_event event = event_at(2, 2, "b");
    int pipe_ends[2];
    char answer = 0;
    pid_t pid;

    options = estore_options_new();
    store = open_store("store", options);
    OK(efile_open("efile", 5, NULL, &file, &err));
    append_text(store, 1, "a");
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_tail_iter(store, 0, &tail, &err));
    OK(estore_exchange_begin(store, 0, UINT64_MAX, 0, &exchange, &err));
    OK(estore_export_begin(store, 0, UINT64_MAX, 0, 0, &export, &err));
    OK(estore_exchange_request(exchange, &bytes, &err));

    CHECK(pipe(pipe_ends) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child();
        CHECK(write(pipe_ends[1], "+", 1) == 1);
        /* What the child leaked on purpose is no business of a leak checker. */
        kill(getpid(), SIGKILL);
    }
    close(pipe_ends[1]);
    CHECK(read(pipe_ends[0], &answer, 1) == 1 && answer == '+');
    CHECK(waitpid(pid, NULL, 0) == pid);

    append_text(store, 3, "c");
    OK(efile_append(file, &event, 1, NULL, &err));
    OK(estore_sync(store, NULL, &err));
    CHECK(strcmp(all_data(iter), "a") == 0);
    OK(estore_iter_next(tail, &event, &err));
    CHECK(has_data(&event, "a"));
    OK(estore_iter_close(&tail, &err));
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a c") == 0);
    OK(estore_bytes_free(&bytes));
    OK(estore_export_next(export, 1000, &bytes, &err));
    OK(estore_bytes_free(&bytes));
    OK(estore_export_close(&export, &err));
    OK(estore_exchange_request(exchange, &bytes, &err));
    OK(estore_bytes_free(&bytes));
    OK(estore_exchange_close(&exchange, &err));
    OK(estore_close(&store, &err));
    OK(efile_close(&file, &err));
    OK(estore_options_free(&options));
    store = open_store("store", NULL);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a c") == 0);
    OK(estore_close(&store, &err));
    return 0;
}
