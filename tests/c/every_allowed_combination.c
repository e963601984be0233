/* What the header allows to run at once does: each two calls on one handle, from two threads, many times; the log callback from several
 * threads; options that open several stores at once; iterators that read, and tails that wait, while their store is appended to and closed.
 * Run under ThreadSanitizer too (make races). ROUNDS in the environment sets how often. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

#define IN(array) (sizeof(array) / sizeof *(array))

static unsigned rounds = 5;

/* A handle, whichever of the two it is. */
struct target {
    estore *store;
    efile *file;
    /* Another one of the same kind. */
    estore *replica_store;
    efile *replica_file;
    /* So that each call has times of its own. */
    unsigned thread;
};

/* As the functions differ in the type of their handle only, each call is written once. */
#define CALL(name, ...) (target->store ? estore_##name(target->store, __VA_ARGS__) : efile_##name(target->file, __VA_ARGS__))
#define FINE(call)                                                                                              \
    do {                                                                                                        \
        estore_error mine = ESTORE_ERROR_INIT;                                                                  \
        estore_error *const to = &mine;                                                                         \
        if ((call) != ESTORE_OK) {                                                                              \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, mine.message);                        \
            exit(1);                                                                                            \
        }                                                                                                       \
    } while (0)

static estore_event own_event(const struct target *target, unsigned round)
{
    /* Mostly in order, some late, in several chunks. */
    uint64_t time = round % 4 == 3 ? round : 3 * DAY * (round % 3) + round;
    return event_at(time, target->thread, "some data");
}

static void append(const struct target *target, unsigned round)
{
    estore_event events[2];
    events[0] = own_event(target, round);
    events[1] = own_event(target, round + 1);
    FINE(CALL(append, events, 2, NULL, to));
}

static void append_absent(const struct target *target, unsigned round)
{
    estore_event event = own_event(target, round / 2);
    uint64_t stored, present, expired;
    FINE(CALL(append_absent, &event, 1, NULL, &stored, &present, &expired, to));
    CHECK(stored + present + expired == 1);
}

static void sync_it(const struct target *target, unsigned round)
{
    uint64_t durable;
    (void)round;
    FINE(CALL(sync, &durable, to));
}

static void tick(const struct target *target, unsigned round)
{
    (void)round;
    FINE(CALL(tick, to));
}

static void last_seq(const struct target *target, unsigned round)
{
    uint64_t seq;
    (void)round;
    FINE(CALL(last_seq, &seq, to));
}

static void durable_seq(const struct target *target, unsigned round)
{
    uint64_t seq;
    (void)round;
    FINE(CALL(durable_seq, &seq, to));
}

static void read_it(const struct target *target, unsigned round)
{
    static const uint32_t directions[] = {ESTORE_READ_FORWARD, ESTORE_READ_REVERSE, ESTORE_READ_LAST, ESTORE_READ_SALVAGE};
    estore_iter *iter = NULL;
    estore_event events[16];
    estore_status status;
    uint64_t seq;
    uint64_t times[16], offsets[17];
    uint8_t data[256];
    size_t n, i, data_len, sum = 0;
    FINE(CALL(read_iter, 0, UINT64_MAX, directions[round % IN(directions)], 100, &iter, to));
    FINE(estore_iter_snapshot_seq(iter, &seq, to));
    while ((status = estore_iter_next_batch(iter, events, IN(events), &n, NULL)) == ESTORE_OK)
        for (i = 0; i < n; i++) {
            CHECK(has_data(&events[i], "some data") && events[i].seq <= seq);
            sum++;
        }
    CHECK(status == ESTORE_END && sum <= 100);
    status = estore_iter_next_columns(iter, times, NULL, NULL, offsets, IN(times), data, IN(data), &n, &data_len, NULL);
    CHECK(status == ESTORE_END);
    FINE(estore_iter_close(&iter, to));
    FINE(CALL(read_iter, 0, UINT64_MAX, ESTORE_READ_FORWARD, 100, &iter, to));
    while ((status = estore_iter_next_columns(iter, times, NULL, NULL, offsets, IN(times), data, IN(data), &n, &data_len, NULL)) == ESTORE_OK)
        CHECK(n > 0 && data_len == n * strlen("some data") && offsets[n] == data_len && memcmp(data, "some data", 9) == 0);
    CHECK(status == ESTORE_END);
    FINE(estore_iter_gaps(iter, NULL, NULL, &n, to));
    CHECK(n == 0);
    FINE(estore_iter_close(&iter, to));
}

static void tail(const struct target *target, unsigned round)
{
    estore_iter *iter = NULL;
    estore_event events[16];
    estore_status status;
    uint64_t seq;
    size_t n, sum = 0;
    int fd;
    FINE(CALL(last_seq, &seq, to));
    FINE(CALL(tail_iter, seq > 100 ? seq - 100 : 0, &iter, to));
    if (round % 2)
        FINE(estore_iter_fd(iter, &fd, to));
    do {
        status = estore_iter_next_batch(iter, events, IN(events), &n, NULL);
        if (status == ESTORE_OK) {
            CHECK(events[0].seq + 100 > seq);
            seq = events[n - 1].seq;
            sum += n;
        }
    } while (sum < 500 && (status == ESTORE_OK || status == ESTORE_GAP));
    CHECK(status == ESTORE_OK || status == ESTORE_TIMEOUT);
    status = estore_iter_wait(iter, round % 2, NULL);
    CHECK(status == ESTORE_OK || status == ESTORE_TIMEOUT);
    FINE(estore_iter_close(&iter, to));
}

static void count(const struct target *target, unsigned round)
{
    uint64_t events;
    FINE(CALL(count, round, round + 3 * DAY * (round % 3), &events, to));
}

static void stats(const struct target *target, unsigned round)
{
    uint64_t values[ESTORE_STAT_COUNT];
    size_t n;
    (void)round;
    FINE(CALL(stats, values, ESTORE_STAT_COUNT, &n, to));
    CHECK(n == ESTORE_STAT_COUNT && values[ESTORE_STAT_DAMAGED_REGIONS] == 0);
}

static void verify(const struct target *target, unsigned round)
{
    uint64_t events, damaged;
    (void)round;
    FINE(CALL(verify, NULL, NULL, &events, &damaged, to));
    CHECK(damaged == 0);
}

static void compact(const struct target *target, unsigned round)
{
    uint64_t before, after;
    FINE(CALL(compact, 0, 3 * DAY * (round % 3), NULL, NULL, &before, &after, to));
    CHECK((before == 0) == (after == 0));
}

/* All into one folder: who comes second is told. */
static void snapshot(const struct target *target, unsigned round)
{
    const char *dir = target->store ? "copy of a store" : "copy of an efile";
    uint64_t seq, damaged;
    estore_status status;
    (void)round;
    status = CALL(snapshot, dir, strlen(dir), NULL, NULL, &seq, NULL, NULL, &damaged, NULL, NULL);
    CHECK(status == ESTORE_OK || status == ESTORE_ERR_LOCKED);
    CHECK(status != ESTORE_OK || (seq > 0 && damaged == 0));
}

static void splits(const struct target *target, unsigned round)
{
    uint64_t bounds[8], pieces;
    if (target->store)
        FINE(estore_splits(target->store, 0, 3 * DAY * (round % 3), bounds, 4, &pieces, to));
}

static void delete_before(const struct target *target, unsigned round)
{
    if (target->store)
        FINE(estore_delete_before(target->store, round % 2, to));
}

static void retain(const struct target *target, unsigned round)
{
    uint64_t horizon, chunks, events, bytes;
    if (!target->store)
        return;
    FINE(estore_retain(target->store, DAY, round % 3, (int32_t)(round % 2), &horizon, &chunks, &events, &bytes, to));
    CHECK((chunks == 0) == (bytes == 0));
}

/* The same for the other one. */
#define CALL_REPLICA(name, ...)                                                                                 \
    (target->store ? estore_##name(target->replica_store, __VA_ARGS__) : efile_##name(target->replica_file, __VA_ARGS__))

static void digest(const struct target *target, unsigned round)
{
    uint64_t here[9], there[9], here_horizon, there_horizon, bounds[6];
    size_t ranges;
    FINE(CALL(digest, 0, 9 * DAY, 4 * DAY, here, 3, NULL, &here_horizon, to));
    FINE(CALL_REPLICA(digest, 0, 9 * DAY, 4 * DAY, there, 3, NULL, &there_horizon, to));
    FINE(estore_digest_differences(0, 9 * DAY, 4 * DAY, here, here_horizon, there, there_horizon, 3, bounds, 3, &ranges, to));
    CHECK(ranges <= 2);
    (void)round;
}

/* From both sides, each by one of the threads. */
static void repair(const struct target *target, unsigned round)
{
    uint64_t values[ESTORE_REPAIRED_COUNT];
    estore *one = target->store, *other = target->replica_store;
    efile *file = target->file, *other_file = target->replica_file;
    uint32_t flags = round % 2 ? ESTORE_REPAIR_BOTH_WAYS : ESTORE_REPAIR_ONE_WAY;
    if (target->thread == 1)
        one = target->replica_store, other = target->store, file = target->replica_file, other_file = target->file;
    if (one)
        FINE(estore_repair(one, other, 0, UINT64_MAX, flags, NULL, NULL, NULL, values, IN(values), NULL, to));
    else
        FINE(efile_repair(file, other_file, 0, UINT64_MAX, flags, NULL, NULL, NULL, values, IN(values), NULL, to));
    CHECK(values[ESTORE_REPAIRED_GAPS] == 0 && values[ESTORE_REPAIRED_STOPPED] == 0);
}

static void exchange(const struct target *target, unsigned round)
{
    estore_exchange *exchange = NULL;
    estore_bytes *message, *reply;
    const uint8_t *data;
    size_t len, n;
    uint64_t values[ESTORE_REPAIRED_COUNT];
    estore_status status;
    FINE(CALL(exchange_begin, 0, UINT64_MAX, round % 2 ? ESTORE_REPAIR_BOTH_WAYS : ESTORE_REPAIR_ONE_WAY, &exchange, to));
    while ((status = estore_exchange_request(exchange, &message, NULL)) == ESTORE_OK) {
        FINE(estore_bytes_view(message, &data, &len, to));
        FINE(CALL_REPLICA(answer, data, len, &reply, to));
        OK(estore_bytes_free(&message));
        FINE(estore_bytes_view(reply, &data, &len, to));
        FINE(estore_exchange_reply(exchange, data, len, to));
        OK(estore_bytes_free(&reply));
    }
    CHECK(status == ESTORE_END);
    FINE(estore_exchange_repaired(exchange, NULL, NULL, values, IN(values), &n, to));
    CHECK(n == ESTORE_REPAIRED_COUNT && values[ESTORE_REPAIRED_GAPS] == 0);
    FINE(estore_exchange_close(&exchange, to));
}

static void export_and_import(const struct target *target, unsigned round)
{
    estore_export *export = NULL;
    estore_bytes *parcel;
    const uint8_t *data;
    size_t len;
    uint64_t seq, stored, present, expired;
    FINE(CALL(export_begin, 0, UINT64_MAX, round % 2 ? ESTORE_READ_REVERSE : ESTORE_READ_FORWARD, 100, &export, to));
    FINE(estore_export_snapshot_seq(export, &seq, to));
    while (estore_export_next(export, 300, &parcel, NULL) == ESTORE_OK) {
        FINE(estore_bytes_view(parcel, &data, &len, to));
        FINE(CALL_REPLICA(import, data, len, NULL, &stored, &present, &expired, to));
        CHECK(stored + present + expired > 0);
        OK(estore_bytes_free(&parcel));
    }
    FINE(estore_export_gaps(export, NULL, NULL, &len, to));
    CHECK(len == 0);
    FINE(estore_export_close(&export, to));
}

typedef void (*operation)(const struct target *, unsigned);

static const operation operations[] = {append,  append_absent, sync_it, tick,   last_seq, durable_seq,
                                       read_it, tail,          count,   stats,  verify,   compact,     snapshot, splits,
                                       delete_before, retain,  digest,  repair, exchange, export_and_import};

struct work {
    const struct target *target;
    operation operation;
    pthread_barrier_t *start;
};

static void *repeat(void *argument)
{
    const struct work *work = argument;
    unsigned round;
    pthread_barrier_wait(work->start);
    for (round = 0; round < rounds; round++)
        work->operation(work->target, round);
    return NULL;
}

/* Each two operations, also each beside itself. */
static void hammer(struct target target)
{
    struct target other = target;
    size_t a, b;
    target.thread = 1;
    other.thread = 2;
    for (a = 0; a < IN(operations); a++)
        for (b = a; b < IN(operations); b++) {
            pthread_barrier_t start;
            pthread_t threads[2];
            struct work works[2];
            int i;
            CHECK(pthread_barrier_init(&start, NULL, 2) == 0);
            works[0].target = &target;
            works[0].operation = operations[a];
            works[1].target = &other;
            works[1].operation = operations[b];
            for (i = 0; i < 2; i++) {
                works[i].start = &start;
                CHECK(pthread_create(&threads[i], NULL, repeat, &works[i]) == 0);
            }
            for (i = 0; i < 2; i++)
                CHECK(pthread_join(threads[i], NULL) == 0);
            CHECK(pthread_barrier_destroy(&start) == 0);
        }
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned messages;

static void on_log(void *userdata, int32_t level, const char *message, size_t len)
{
    (void)userdata, (void)level;
    CHECK(strlen(message) == len);
    pthread_mutex_lock(&lock);
    messages++;
    pthread_mutex_unlock(&lock);
}

static estore_options *options;

/* Functions without a handle; and stores that are opened, used and closed, all by the same options. */
static void *own_store(void *argument)
{
    const char *path = argument;
    unsigned round;
    for (round = 0; round < rounds; round++) {
        estore *store = NULL;
        estore_event event;
        uint64_t ns;
        FINE(estore_open(path, strlen(path), options, &store, to));
        CHECK(estore_now() > 0 && estore_version_number() == ESTORE_VERSION_NUMBER && estore_strerror(ESTORE_ERR_IO) != NULL);
        (void)estore_event_id();
        CHECK(estore_event_init(&event, (const uint8_t *)"some data", 9) == ESTORE_OK);
        CHECK(estore_duration_parse("1d", 2, &ns, NULL) == ESTORE_OK && ns == DAY);
        FINE(estore_append(store, &event, 1, NULL, to));
        /* Each round has a chunk of its own, whose end is a message. */
        event.time = round * DAY;
        FINE(estore_append(store, &event, 1, NULL, to));
        FINE(estore_delete_before(store, event.time + DAY, to));
        FINE(estore_close(&store, to));
    }
    return NULL;
}

static void *read_to_the_end(void *argument)
{
    estore_iter *iter = argument;
    estore_event event;
    estore_status status;
    unsigned sum = 0;
    while ((status = estore_iter_next(iter, &event, NULL)) == ESTORE_OK)
        sum += event.len;
    CHECK(status == ESTORE_END && sum > 0);
    FINE(estore_iter_close(&iter, to));
    return NULL;
}

/* Iterators made here read in threads of their own, while the store goes on and is closed. */
static void iterators_go_their_own_ways(struct target *target)
{
    pthread_t threads[4];
    size_t i;
    for (i = 0; i < IN(threads); i++) {
        estore_iter *iter = NULL;
        estore_event event;
        FINE(CALL(read_iter, 0, UINT64_MAX, i % 2 ? ESTORE_READ_REVERSE : ESTORE_READ_FORWARD, 0, &iter, to));
        FINE(estore_iter_next(iter, &event, to));
        CHECK(pthread_create(&threads[i], NULL, read_to_the_end, iter) == 0);
    }
    append(target, 1);
    if (target->store)
        FINE(estore_close(&target->store, to));
    else
        FINE(efile_close(&target->file, to));
    for (i = 0; i < IN(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

struct follower {
    estore_iter *iter;
    unsigned seen;
    int is_beside;
};

/* Waits for more until its store is closed, and takes what comes. */
static void *follow_to_the_end(void *argument)
{
    struct follower *follower = argument;
    estore_event events[16];
    estore_status status;
    size_t n;
    while ((status = estore_iter_wait(follower->iter, ESTORE_WAIT_FOREVER, NULL)) == ESTORE_OK)
        while ((status = estore_iter_next_batch(follower->iter, events, IN(events), &n, NULL)) == ESTORE_OK)
            follower->seen += (unsigned)n;
    /* A closed handle looks for nothing new, and of one for reading only compaction may have taken a log that it had not come to. */
    CHECK(status == ESTORE_ERR_CLOSED || (follower->is_beside && status == ESTORE_ERR_GONE));
    FINE(estore_iter_close(&follower->iter, to));
    return NULL;
}

/* Two that follow the writer's handle and two that follow one for reading only, beside appends, compaction and the end of their handles. */
static void tails_wait_until_their_handles_are_closed(void)
{
    struct target target = {NULL, NULL, NULL, NULL, 1};
    estore *beside = NULL;
    estore_options *read_only = estore_options_new();
    struct follower followers[4] = {{NULL, 0, 0}, {NULL, 0, 0}, {NULL, 0, 1}, {NULL, 0, 1}};
    pthread_t threads[IN(followers)];
    size_t i;
    unsigned round;
    OK(estore_options_set_mode(read_only, ESTORE_MODE_READ_ONLY));
    FINE(estore_open("tailed", 6, options, &target.store, to));
    FINE(estore_open("tailed", 6, read_only, &beside, to));
    for (i = 0; i < IN(followers); i++) {
        int fd;
        FINE(estore_tail_iter(i < 2 ? target.store : beside, 0, &followers[i].iter, to));
        if (i % 2)
            FINE(estore_iter_fd(followers[i].iter, &fd, to));
        CHECK(pthread_create(&threads[i], NULL, follow_to_the_end, &followers[i]) == 0);
    }
    for (round = 0; round < 4 * rounds; round++) {
        append(&target, round);
        if (round % 8 == 7)
            compact(&target, round);
    }
    FINE(estore_close(&target.store, to));
    FINE(estore_close(&beside, to));
    for (i = 0; i < IN(threads); i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        /* Whoever reads beside the writer may not have come to all of it. */
        CHECK(i < 2 ? followers[i].seen == 8 * rounds : followers[i].seen <= 8 * rounds);
    }
    OK(estore_options_free(&read_only));
}

int main(void)
{
    static char paths[][8] = {"one", "two", "three"};
    pthread_t threads[IN(paths)];
    struct target store = {NULL, NULL, NULL, NULL, 0}, file = {NULL, NULL, NULL, NULL, 0};
    const char *often = getenv("ROUNDS");
    size_t i;

    if (often != NULL)
        rounds = (unsigned)atoi(often);
    options = estore_options_new();
    OK(estore_options_set_log(options, on_log, NULL));
    /* The library's own thread takes part. */
    OK(estore_options_set_durability(options, ESTORE_DURABILITY_INTERVAL, 1000000));
    OK(estore_options_set_file_size_ns(options, DAY));
    OK(estore_options_set_grace_ns(options, SECOND));
    OK(estore_options_set_compression(options, ESTORE_COMPRESSION_LZ4, &err));
    /* Logs are closed for others and opened again. */
    OK(estore_options_set_max_open_logs(options, 2));

    OK(estore_open("store", 5, options, &store.store, &err));
    OK(estore_open("replica", 7, NULL, &store.replica_store, &err));
    hammer(store);
    OK(estore_close(&store.replica_store, &err));
    iterators_go_their_own_ways(&store);

    OK(efile_open("efile", 5, NULL, &file.file, &err));
    OK(efile_open("replica of an efile", 19, NULL, &file.replica_file, &err));
    hammer(file);
    OK(efile_close(&file.replica_file, &err));
    iterators_go_their_own_ways(&file);

    for (i = 0; i < IN(paths); i++)
        CHECK(pthread_create(&threads[i], NULL, own_store, paths[i]) == 0);
    for (i = 0; i < IN(paths); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    tails_wait_until_their_handles_are_closed();
    CHECK(messages > 0);
    OK(estore_options_free(&options));
    return 0;
}
