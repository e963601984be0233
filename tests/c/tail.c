/* A tail: every event once, in order of arrival; waiting for more, in this process and in another, with a timeout and with poll; gaps; and
 * its end. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS 300

static estore *store;

static estore_iter *tail_of(const estore *of, uint64_t after)
{
    estore_iter *tail = NULL;
    OK(estore_tail_iter(of, after, &tail, &err));
    CHECK(tail != NULL);
    return tail;
}

static void check_next(estore_iter *tail, const char *data)
{
    estore_event event;
    uint64_t seq;
    OK(estore_iter_next(tail, &event, &err));
    CHECK(has_data(&event, data));
    OK(estore_iter_snapshot_seq(tail, &seq, &err));
    CHECK(seq >= event.seq);
}

static void check_nothing(estore_iter *tail)
{
    estore_event event = {7, 7, NULL, 7, 7};
    size_t n = 7;
    ANSWERS(ESTORE_TIMEOUT, estore_iter_next(tail, &event, &err));
    ANSWERS(ESTORE_TIMEOUT, estore_iter_next_batch(tail, &event, 1, &n, &err));
    ANSWERS(ESTORE_TIMEOUT, estore_iter_next_columns(tail, NULL, NULL, NULL, NULL, 1, NULL, 0, &n, NULL, &err));
    ANSWERS(ESTORE_TIMEOUT, estore_iter_wait(tail, 0, &err));
    CHECK(event.time == 7 && n == 7);
}

static int is_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd;
    poll_fd.fd = fd;
    poll_fd.events = POLLIN;
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void *append_later(void *argument)
{
    estore_event event = event_at(2 * DAY, 1, "later");
    estore_error mine = ESTORE_ERROR_INIT;
    (void)argument;
    CHECK(estore_append(store, &event, 1, NULL, &mine) == ESTORE_OK);
    return NULL;
}

/* Follows a store that another process writes, by poll or by waiting, until it has seen all. */
static int follow(int by_poll)
{
    estore_options *options = estore_options_new();
    estore *beside = NULL;
    estore_iter *tail;
    estore_event events[16];
    uint64_t times[16], seen = 0;
    size_t n;
    estore_status opened;
    int fd = -1;
    CHECK(options != NULL);
    OK(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    /* Its writer may not have made it yet, or be at it. */
    do {
        opened = estore_open("shared", 6, options, &beside, &err);
    } while (opened == ESTORE_ERR_NOT_FOUND || opened == ESTORE_ERR_NOT_A_STORE);
    OK(opened);
    tail = tail_of(beside, 0);
    OK(estore_iter_fd(tail, &fd, &err));
    while (seen < EVENTS) {
        estore_status status;
        if (by_poll)
            CHECK(is_readable(fd, -1));
        else
            OK(estore_iter_wait(tail, ESTORE_WAIT_FOREVER, &err));
        while ((status = seen % 2 ? estore_iter_next_batch(tail, events, 16, &n, &err)
                                  : estore_iter_next_columns(tail, times, NULL, NULL, NULL, 16, NULL, 0, &n, NULL, &err)) == ESTORE_OK)
            seen += n;
        ANSWERS(ESTORE_TIMEOUT, status);
    }
    CHECK(seen == EVENTS);
    OK(estore_iter_close(&tail, &err));
    OK(estore_close(&beside, &err));
    OK(estore_options_free(&options));
    return 0;
}

static void in_another_process(void)
{
    pid_t children[2];
    estore *shared;
    int i, status;
    for (i = 0; i < 2; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0)
            _exit(follow(i));
    }
    shared = open_store("shared", NULL);
    for (i = 0; i < EVENTS; i++)
        append_text(shared, (uint64_t)(i % 7) * DAY, "event");
    for (i = 0; i < 2; i++)
        CHECK(waitpid(children[i], &status, 0) == children[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(estore_close(&shared, &err));
}

int main(void)
{
    estore_options *options = NULL;
    estore_iter *tail = NULL, *range = NULL;
    estore_event event;
    uint64_t seq = 7, times[8], seqs[8], offsets[9];
    uint8_t data[16];
    size_t n = 0, len = 0;
    int fd = -7, again = -7;
    pthread_t thread;

    /* First, as a process with threads should not fork. */
    in_another_process();

    options = estore_options_new();
    CHECK(options != NULL);
    OK(estore_options_set_grace_ns(options, SECOND));
    store = open_store("store", options);
    tail = tail_of(store, 0);
    check_nothing(tail);
    append_text(store, DAY, "first");
    append_text(store, 5, "late");
    append_text(store, 2 * DAY, "third");
    check_next(tail, "first");
    check_next(tail, "late");
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, NULL, NULL, &err));
    check_next(tail, "third");
    check_nothing(tail);
    OK(estore_iter_snapshot_seq(tail, &seq, &err));
    OK(estore_iter_gaps(tail, NULL, NULL, &n, &err));
    CHECK(seq == 3 && n == 0);
    OK(estore_iter_close(&tail, &err));

    /* From a cursor on; in columns, which meet an event that does not fit. */
    tail = tail_of(store, 1);
    OK(estore_iter_next_columns(tail, times, seqs, NULL, offsets, 8, data, 4, &n, &len, &err));
    CHECK(n == 1 && len == 4 && times[0] == 5 && seqs[0] == 2 && memcmp(data, "late", 4) == 0);
    OK(estore_iter_next_columns(tail, times, seqs, NULL, offsets, 8, data, 4, &n, &len, &err));
    CHECK(n == 0 && len == 5);
    OK(estore_iter_snapshot_seq(tail, &seq, &err));
    CHECK(seq == 2);
    OK(estore_iter_wait(tail, ESTORE_WAIT_FOREVER, &err));
    check_next(tail, "third");
    check_nothing(tail);

    /* Deleted before they were given: told once. In columns it comes behind what was there before. */
    append_text(store, 2 * DAY + 1, "gone");
    append_text(store, 3 * DAY, "kept");
    OK(estore_delete_before(store, 3 * DAY, &err));
    OK(estore_iter_wait(tail, 0, &err));
    ANSWERS(ESTORE_GAP, estore_iter_next(tail, &event, &err));
    check_next(tail, "kept");
    check_nothing(tail);
    append_text(store, 3 * DAY, "one");
    OK(estore_iter_next_columns(tail, times, NULL, NULL, NULL, 8, NULL, 0, &n, &len, &err));
    CHECK(n == 1);
    append_text(store, 3 * DAY, "two");
    check_next(tail, "two");

    /* Waiting. */
    ANSWERS(ESTORE_TIMEOUT, estore_iter_wait(tail, 2, &err));
    CHECK(pthread_create(&thread, NULL, append_later, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    check_nothing(tail); /* before the horizon */
    OK(estore_iter_fd(tail, &fd, &err));
    OK(estore_iter_fd(tail, &again, &err));
    CHECK(fd >= 0 && fd == again && is_readable(fd, 0));
    check_nothing(tail);
    CHECK(!is_readable(fd, 0));
    append_text(store, 4 * DAY, "a");
    append_text(store, 4 * DAY, "b");
    CHECK(is_readable(fd, -1));
    check_next(tail, "a");
    CHECK(is_readable(fd, 0));
    check_next(tail, "b");
    check_nothing(tail);
    CHECK(!is_readable(fd, 0));

    /* An iterator over a range has nothing to wait for. */
    OK(estore_read_iter(store, 0, UINT64_MAX, 0, 0, &range, &err));
    OK(estore_iter_wait(range, ESTORE_WAIT_FOREVER, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_fd(range, &fd, &err));
    CHECK(fd == again);
    OK(estore_iter_close(&range, &err));

    /* What can't be a cursor; and the end. */
    ANSWERS(ESTORE_ERR_INVALID, estore_tail_iter(store, UINT64_MAX, &range, &err));
    CHECK(range == NULL && strstr(err.message, "18446744073709551615") != NULL);
    append_text(store, 5 * DAY, "last");
    OK(estore_close(&store, &err));
    CHECK(is_readable(fd, 0));
    check_next(tail, "last");
    ANSWERS(ESTORE_ERR_CLOSED, estore_iter_next(tail, &event, &err));
    ANSWERS(ESTORE_ERR_CLOSED, estore_iter_wait(tail, ESTORE_WAIT_FOREVER, &err));
    OK(estore_iter_close(&tail, &err));

    /* Of a store that goes. */
    OK(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    store = open_store("store", options);
    tail = tail_of(store, 0);
    ANSWERS(ESTORE_GAP, estore_iter_next(tail, &event, &err));
    OK(estore_iter_next(tail, &event, &err));
    OK(estore_destroy("store", 5, NULL, &err));
    do {
    } while (estore_iter_next(tail, &event, &err) == ESTORE_OK);
    CHECK(err.status == ESTORE_ERR_GONE);
    ANSWERS(ESTORE_ERR_GONE, estore_iter_wait(tail, ESTORE_WAIT_FOREVER, &err));
    OK(estore_close(&store, &err));
    OK(estore_iter_close(&tail, &err));
    OK(estore_options_free(&options));
    return 0;
}
