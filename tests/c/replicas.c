/* Two stores with other settings and other events are compared and brought together: in one process, by messages, and by parcels. What was
 * cut or changed on its way is refused, and nothing of it counts. */
#include "check.h"

#define WIDTH (10 * SECOND)
#define ALL_BUCKETS 10
/* The range that is compared. */
#define END (ALL_BUCKETS * WIDTH - 1)

struct told {
    estore *store;
    int calls;
    int stop_after;
    int gaps;
};

static int32_t on_progress(void *userdata, uint64_t done, uint64_t events)
{
    struct told *told = userdata;
    estore_event event = event_at(1, 0, "");
    CHECK(done <= events);
    ANSWERS(ESTORE_ERR_INVALID, estore_append(told->store, &event, 1, NULL, &err));
    return ++told->calls == told->stop_after;
}

static void on_gap(void *userdata, const char *path, size_t path_len, uint64_t offset, uint64_t len, uint64_t first_time,
                   uint64_t last_time, const char *what, size_t what_len)
{
    struct told *told = userdata;
    (void)offset;
    CHECK(path_len == strlen(path) && what_len == strlen(what) && len > 0 && first_time <= last_time);
    told->gaps++;
}

/* How many ranges differ. The bounds of the first one. */
static size_t differences(const estore *one, const estore *other, uint64_t *first, uint64_t *last)
{
    uint64_t here[3 * ALL_BUCKETS], there[3 * ALL_BUCKETS], here_horizon, there_horizon, bounds[2] = {0, 0};
    size_t n = 0, ranges = 0;
    OK(estore_digest(one, 0, END, WIDTH, here, ALL_BUCKETS, &n, &here_horizon, &err));
    CHECK(n == ALL_BUCKETS);
    OK(estore_digest(other, 0, END, WIDTH, there, ALL_BUCKETS, &n, &there_horizon, &err));
    OK(estore_digest_differences(0, END, WIDTH, here, here_horizon, there, there_horizon, n, bounds, 1, &ranges, &err));
    CHECK((ranges == 0) == (memcmp(here, there, sizeof here) == 0) || here_horizon != there_horizon);
    *first = bounds[0];
    *last = bounds[1];
    return ranges;
}

static const uint64_t *repaired(estore_exchange *exchange)
{
    static uint64_t values[ESTORE_REPAIRED_COUNT];
    size_t n = 0;
    OK(estore_exchange_repaired(exchange, NULL, NULL, values, ESTORE_REPAIRED_COUNT, &n, &err));
    CHECK(n == ESTORE_REPAIRED_COUNT);
    return values;
}

/* Carries messages until all is done, and answers how many. Each comes cut, then changed, and only then as it is. */
static int carry(estore_exchange *exchange, estore *other)
{
    estore_bytes *message = NULL, *again = NULL, *reply = NULL;
    const uint8_t *data, *same;
    uint8_t changed[4096];
    size_t len, same_len;
    estore_status status;
    int messages = 0;
    while ((status = estore_exchange_request(exchange, &message, &err)) == ESTORE_OK) {
        OK(estore_bytes_view(message, &data, &len, &err));
        OK(estore_exchange_request(exchange, &again, &err));
        OK(estore_bytes_view(again, &same, &same_len, &err));
        CHECK(len == same_len && memcmp(data, same, len) == 0 && len <= sizeof changed);
        OK(estore_bytes_free(&again));

        memcpy(changed, data, len);
        changed[len / 2] ^= 1;
        ANSWERS(ESTORE_ERR_CORRUPT, estore_answer(other, changed, len, &reply, &err));
        ANSWERS(ESTORE_ERR_CORRUPT, estore_answer(other, data, len - 1, &reply, &err));
        ANSWERS(ESTORE_ERR_CORRUPT, estore_answer(other, NULL, 0, &reply, &err));
        CHECK(reply == NULL);
        OK(estore_answer(other, data, len, &reply, &err));
        OK(estore_bytes_free(&message));

        OK(estore_bytes_view(reply, &data, &len, &err));
        CHECK(len <= sizeof changed);
        memcpy(changed, data, len);
        changed[len / 2] ^= 1;
        ANSWERS(ESTORE_ERR_CORRUPT, estore_exchange_reply(exchange, changed, len, &err));
        ANSWERS(ESTORE_ERR_CORRUPT, estore_exchange_reply(exchange, data, len - 1, &err));
        ANSWERS(ESTORE_ERR_CORRUPT, estore_exchange_reply(exchange, NULL, 0, &err));
        OK(estore_exchange_reply(exchange, data, len, &err));
        OK(estore_bytes_free(&reply));
        messages++;
    }
    ANSWERS(ESTORE_END, status);
    ANSWERS(ESTORE_END, estore_exchange_request(exchange, &message, &err));
    CHECK(message == NULL);
    return messages;
}

static void in_one_process(void)
{
    estore_options *options = estore_options_new();
    estore *one = open_store("one", NULL), *other, *reader;
    uint64_t values[ESTORE_REPAIRED_COUNT], first, last, many[2] = {7, 7};
    estore_event twins[3];
    struct told told = {NULL, 0, 0, 0};
    size_t n;

    OK(estore_options_set_file_size_ns(options, 7 * SECOND));
    OK(estore_options_set_grace_ns(options, 0));
    other = open_store("other", options);
    CHECK(differences(one, other, &first, &last) == 0);

    append_text(one, 1 * SECOND, "both");
    append_text(one, 95 * SECOND, "one");
    append_text(other, 55 * SECOND, "other");
    append_text(other, 1 * SECOND, "both");
    append_text(other, 1 * SECOND, "both");
    /* Of equal time and data, told apart by their ids, and one twice. */
    twins[0] = twins[1] = twins[2] = event_at(56 * SECOND, 3, "twin");
    twins[1].id = 4;
    OK(estore_append(other, twins, 3, NULL, &err));
    CHECK(differences(one, other, &first, &last) == 2 && first == 50 * SECOND && last == 60 * SECOND - 1);

    /* One way: who gives is as it was, and may be read only. */
    OK(estore_close(&other, &err));
    OK(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    reader = open_store("other", options);
    told.store = one;
    OK(estore_repair(one, reader, 0, UINT64_MAX, ESTORE_REPAIR_ONE_WAY, on_gap, on_progress, &told, values, ESTORE_REPAIRED_COUNT, &n,
                     &err));
    CHECK(n == ESTORE_REPAIRED_COUNT && told.gaps == 0);
    CHECK(values[ESTORE_REPAIRED_TO_COMPARED] == 6 && values[ESTORE_REPAIRED_TO_COPIED] == 3);
    CHECK(values[ESTORE_REPAIRED_TO_SKIPPED] == 3 && values[ESTORE_REPAIRED_TO_EXPIRED] == 0);
    CHECK(values[ESTORE_REPAIRED_FROM_COMPARED] == 2 && values[ESTORE_REPAIRED_FROM_COPIED] == 0);
    CHECK(values[ESTORE_REPAIRED_GAPS] == 0 && values[ESTORE_REPAIRED_STOPPED] == 0);
    CHECK(strcmp(read_data(one, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "both other twin twin one") == 0);
    CHECK(differences(one, reader, &first, &last) == 1 && first == 90 * SECOND);

    ANSWERS(ESTORE_ERR_READ_ONLY, estore_repair(reader, one, 0, UINT64_MAX, 0, NULL, NULL, NULL, many, 2, &n, &err));
    ANSWERS(ESTORE_ERR_READ_ONLY, estore_repair(one, reader, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, NULL, NULL, NULL, many, 2, &n, &err));
    ANSWERS(ESTORE_ERR_RANGE, estore_repair(one, reader, 5, 4, 0, NULL, NULL, NULL, many, 2, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_repair(one, reader, 0, 4, 2, NULL, NULL, NULL, many, 2, &n, &err));
    CHECK(many[0] == 7 && many[1] == 7);
    OK(estore_close(&reader, &err));

    /* Both ways. A second time nothing is copied. */
    OK(estore_options_set_mode(options, ESTORE_MODE_EXISTING));
    other = open_store("other", options);
    OK(estore_repair(one, other, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, NULL, NULL, NULL, values, ESTORE_REPAIRED_COUNT, NULL, &err));
    CHECK(values[ESTORE_REPAIRED_TO_COPIED] == 0 && values[ESTORE_REPAIRED_FROM_COPIED] == 1);
    CHECK(differences(one, other, &first, &last) == 0);
    OK(estore_repair(one, other, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, NULL, NULL, NULL, values, 6, NULL, &err));
    CHECK(values[ESTORE_REPAIRED_TO_COPIED] == 0 && values[ESTORE_REPAIRED_FROM_COPIED] == 0);
    OK(estore_repair(one, one, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, NULL, NULL, NULL, values, 6, NULL, &err));
    CHECK(values[ESTORE_REPAIRED_TO_COPIED] == 0);

    /* What one has deleted comes back to neither. */
    OK(estore_delete_before(other, 10 * SECOND, &err));
    CHECK(differences(one, other, &first, &last) == 0);
    OK(estore_repair(other, one, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, NULL, NULL, NULL, values, ESTORE_REPAIRED_COUNT, NULL, &err));
    CHECK(values[ESTORE_REPAIRED_TO_EXPIRED] == 1 && values[ESTORE_REPAIRED_TO_COPIED] == 0);
    OK(estore_close(&other, &err));
    OK(estore_close(&one, &err));
    OK(estore_options_free(&options));
}

static void it_can_be_stopped(void)
{
    enum { EVENTS = 20000 };
    static estore_event events[EVENTS];
    estore *one = open_store("stopped", NULL), *other = open_store("whole", NULL);
    uint64_t values[ESTORE_REPAIRED_COUNT], copied;
    struct told told = {NULL, 0, 1, 0};
    size_t i;
    for (i = 0; i < EVENTS; i++)
        events[i] = event_at(i, 0, "");
    OK(estore_append(other, events, EVENTS, NULL, &err));
    told.store = one;
    OK(estore_repair(one, other, 0, UINT64_MAX, 0, NULL, on_progress, &told, values, ESTORE_REPAIRED_COUNT, NULL, &err));
    CHECK(told.calls == 1 && values[ESTORE_REPAIRED_STOPPED] == 1);
    copied = values[ESTORE_REPAIRED_TO_COPIED];
    OK(estore_repair(one, other, 0, UINT64_MAX, 0, NULL, NULL, NULL, values, ESTORE_REPAIRED_COUNT, NULL, &err));
    CHECK(values[ESTORE_REPAIRED_STOPPED] == 0 && copied + values[ESTORE_REPAIRED_TO_COPIED] == EVENTS && copied < EVENTS);
    OK(estore_close(&one, &err));
    OK(estore_close(&other, &err));
}

static void by_messages(void)
{
    estore *here = open_store("here", NULL), *there = open_store("there", NULL);
    estore_exchange *exchange = NULL;
    estore_bytes *bytes = NULL;
    const uint64_t *values;
    uint64_t first, last;

    append_text(here, 1, "a");
    append_text(here, 2, "b");
    append_text(there, 2, "b");
    append_text(there, 3, "c");
    OK(estore_exchange_begin(here, 0, UINT64_MAX, ESTORE_REPAIR_ONE_WAY, &exchange, &err));
    CHECK(carry(exchange, there) > 0);
    values = repaired(exchange);
    CHECK(values[ESTORE_REPAIRED_TO_COPIED] == 1 && values[ESTORE_REPAIRED_FROM_COPIED] == 0);
    OK(estore_exchange_close(&exchange, &err));
    CHECK(strcmp(read_data(here, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a b c") == 0);
    CHECK(strcmp(read_data(there, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "b c") == 0);

    OK(estore_exchange_begin(here, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, &exchange, &err));
    CHECK(carry(exchange, there) > 0);
    values = repaired(exchange);
    CHECK(values[ESTORE_REPAIRED_TO_COPIED] == 0 && values[ESTORE_REPAIRED_FROM_COPIED] == 1);
    OK(estore_exchange_close(&exchange, &err));
    CHECK(differences(here, there, &first, &last) == 0);

    /* Equal ones take one message, in which each says what it has. */
    OK(estore_exchange_begin(there, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, &exchange, &err));
    CHECK(carry(exchange, here) == 1);
    OK(estore_exchange_close(&exchange, &err));

    ANSWERS(ESTORE_ERR_RANGE, estore_exchange_begin(here, 2, 1, 0, &exchange, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_exchange_begin(here, 0, 1, 4, &exchange, &err));
    CHECK(exchange == NULL);

    /* The store may be closed first: the exchange says so. */
    append_text(here, 9, "z");
    OK(estore_exchange_begin(here, 0, UINT64_MAX, ESTORE_REPAIR_BOTH_WAYS, &exchange, &err));
    OK(estore_exchange_request(exchange, &bytes, &err));
    OK(estore_close(&here, &err));
    {
        const uint8_t *data;
        size_t len;
        estore_bytes *reply = NULL;
        OK(estore_bytes_view(bytes, &data, &len, &err));
        OK(estore_answer(there, data, len, &reply, &err));
        OK(estore_bytes_view(reply, &data, &len, &err));
        ANSWERS(ESTORE_ERR_CLOSED, estore_exchange_reply(exchange, data, len, &err));
        OK(estore_bytes_free(&reply));
    }
    OK(estore_bytes_free(&bytes));
    OK(estore_exchange_close(&exchange, &err));
    OK(estore_close(&there, &err));
}

static void by_parcels(void)
{
    efile *from = NULL, *to = NULL;
    estore_export *export = NULL;
    estore_bytes *parcels[8] = {NULL};
    estore_event events[8];
    const uint8_t *data;
    uint8_t changed[4096];
    uint64_t seq = 0, stored = 7, present = 7, expired = 7, last_seq = 7, sum = 0, buckets[3], other[3];
    size_t len, n, i, count = 0;

    OK(efile_open("from", 4, NULL, &from, &err));
    OK(efile_open("to", 2, NULL, &to, &err));
    for (i = 0; i < 8; i++)
        events[i] = event_at(i, (uint32_t)i, "some data");
    OK(efile_append(from, events, 8, NULL, &err));
    OK(efile_append(to, events, 2, NULL, &err));
    OK(efile_export_begin(from, 1, UINT64_MAX, ESTORE_READ_FORWARD, 0, &export, &err));
    OK(efile_append(from, events, 8, NULL, &err)); /* comes too late */
    OK(estore_export_snapshot_seq(export, &seq, &err));
    CHECK(seq == 8);
    while (estore_export_next(export, 120, &parcels[count], &err) == ESTORE_OK)
        count++;
    CHECK(count > 1 && parcels[count] == NULL);
    OK(estore_export_gaps(export, on_gap, NULL, &n, &err));
    CHECK(n == 0);
    OK(estore_export_close(&export, &err));

    OK(estore_bytes_view(parcels[0], &data, &len, &err));
    CHECK(len <= 120);
    memcpy(changed, data, len);
    changed[len - 6] ^= 1;
    ANSWERS(ESTORE_ERR_CORRUPT, efile_import(to, changed, len, &last_seq, &stored, &present, &expired, &err));
    ANSWERS(ESTORE_ERR_CORRUPT, efile_import(to, data, len - 1, &last_seq, &stored, &present, &expired, &err));
    ANSWERS(ESTORE_ERR_CORRUPT, efile_import(to, NULL, 0, &last_seq, &stored, &present, &expired, &err));
    CHECK(stored == 7 && present == 7 && expired == 7 && last_seq == 7);
    OK(efile_count(to, 0, UINT64_MAX, &stored, &err));
    CHECK(stored == 2);

    /* In any order, and more than once. */
    for (i = 0; i < 2 * count; i++) {
        OK(estore_bytes_view(parcels[(2 * count - 1 - i) % count], &data, &len, &err));
        OK(efile_import(to, data, len, NULL, &stored, &present, &expired, &err));
        CHECK(expired == 0 && stored + present > 0);
        sum += stored;
    }
    CHECK(sum == 6);
    while (count > 0)
        OK(estore_bytes_free(&parcels[--count]));
    OK(efile_digest(from, 0, 100, 101, buckets, 1, &n, NULL, &err));
    OK(efile_digest(to, 0, 100, 101, other, 1, NULL, NULL, &err));
    CHECK(n == 1 && buckets[0] == 8 && memcmp(buckets, other, sizeof buckets) == 0);
    OK(efile_close(&to, &err));
    OK(efile_close(&from, &err));
}

static void absurd_digests(void)
{
    estore *store = open_store("digested", NULL);
    uint64_t buckets[6] = {7, 7, 7, 7, 7, 7}, bounds[2] = {7, 7};
    size_t n = 7;
    ANSWERS(ESTORE_ERR_INVALID, estore_digest(store, 0, 10, 0, buckets, 2, &n, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_digest(store, 0, UINT64_MAX, 1, buckets, 2, &n, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_digest(store, 0, 10, 4, buckets, 2, &n, NULL, &err));
    CHECK(strstr(err.message, "3 buckets") != NULL);
    ANSWERS(ESTORE_ERR_RANGE, estore_digest(store, 10, 0, 4, buckets, 2, &n, NULL, &err));
    ANSWERS(ESTORE_ERR_RANGE, estore_digest_differences(10, 0, 4, buckets, 0, buckets, 0, 2, bounds, 1, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_digest_differences(0, 10, 4, buckets, 0, buckets, 0, 2, bounds, 1, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_digest_differences(0, 10, 0, buckets, 0, buckets, 0, 2, bounds, 1, &n, &err));
    CHECK(buckets[0] == 7 && bounds[0] == 7 && n == 7);
    OK(estore_close(&store, &err));
}

static void damage(void)
{
    /* A log begins with 64 bytes; each of these events takes a frame of 64 bytes and its data. */
    enum { LOG_HEADER = 64, FRAME = 64 + 3 };
    estore *store = open_store("damaged", NULL), *copy = open_store("copy", NULL);
    uint64_t values[ESTORE_REPAIRED_COUNT];
    struct told told = {NULL, 0, 0, 0};
    append_text(store, 10, "one");
    append_text(store, 20, "two");
    append_text(store, 30, "six");
    OK(estore_close(&store, &err));
    flip("damaged/0-0.estore", LOG_HEADER + FRAME + 65);
    store = open_store("damaged", NULL);
    told.store = copy;
    OK(estore_repair(copy, store, 0, UINT64_MAX, 0, on_gap, NULL, &told, values, ESTORE_REPAIRED_COUNT, NULL, &err));
    CHECK(told.gaps == 1 && values[ESTORE_REPAIRED_GAPS] == 1 && values[ESTORE_REPAIRED_TO_COPIED] == 2);
    CHECK(strcmp(read_data(copy, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "one six") == 0);

    /* And the other way round: what was lost comes back, beside what is damaged. */
    append_text(copy, 20, "two");
    told.store = store;
    OK(estore_repair(store, copy, 0, UINT64_MAX, 0, on_gap, NULL, &told, values, ESTORE_REPAIRED_COUNT, NULL, &err));
    CHECK(told.gaps == 2 && values[ESTORE_REPAIRED_GAPS] == 0 && values[ESTORE_REPAIRED_OWN_GAPS] == 1);
    CHECK(values[ESTORE_REPAIRED_TO_COPIED] == 1);
    CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_SALVAGE, 0), "one two six") == 0);

    /* By messages, which tell the name of the file. */
    {
        estore_exchange *exchange = NULL;
        OK(estore_exchange_begin(copy, 0, UINT64_MAX, 0, &exchange, &err));
        CHECK(carry(exchange, store) > 0);
        CHECK(repaired(exchange)[ESTORE_REPAIRED_GAPS] == 1 && repaired(exchange)[ESTORE_REPAIRED_OWN_GAPS] == 0);
        OK(estore_exchange_repaired(exchange, on_gap, &told, NULL, 0, NULL, &err));
        CHECK(told.gaps == 3);
        OK(estore_exchange_close(&exchange, &err));
        OK(estore_exchange_begin(store, 0, UINT64_MAX, 0, &exchange, &err));
        CHECK(carry(exchange, copy) > 0);
        CHECK(repaired(exchange)[ESTORE_REPAIRED_GAPS] == 0 && repaired(exchange)[ESTORE_REPAIRED_OWN_GAPS] == 1);
        OK(estore_exchange_close(&exchange, &err));
    }
    OK(estore_close(&store, &err));
    OK(estore_close(&copy, &err));
}

int main(void)
{
    in_one_process();
    it_can_be_stopped();
    by_messages();
    by_parcels();
    absurd_digests();
    damage();
    return 0;
}
