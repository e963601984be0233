/* estore_iter_next_columns gives the same events as the other calls, copied and by column: whatever the room, with columns left out, mixed
 * with the other calls, and up to damage. */
#include "check.h"

#define EVENTS 2000

static uint64_t times[EVENTS], seqs[EVENTS], offsets[EVENTS + 1];
static uint32_t ids[EVENTS];
static uint8_t data[1 << 20];

/* The event that was stored at a time: its data is the time as text, up to 300 times in a row. */
static size_t data_of(uint64_t time, char *text)
{
    size_t len = 0;
    uint64_t i;
    for (i = 0; i < time * 7 % 300; i++)
        len += (size_t)sprintf(text + len, "%u", (unsigned)time);
    return len;
}

/* What the first n elements of the columns hold is the events from a time on. */
static void check_columns(uint64_t time, size_t n, size_t data_len)
{
    static char text[2000];
    size_t i;
    CHECK(offsets[0] == 0 && offsets[n] == data_len);
    for (i = 0; i < n; i++, time++) {
        const size_t len = data_of(time, text);
        CHECK(times[i] == time && seqs[i] > 0 && ids[i] == time * 3);
        CHECK(offsets[i + 1] - offsets[i] == len && memcmp(data + offsets[i], text, len) == 0);
    }
}

static estore_iter *iter_of(const estore *store)
{
    estore_iter *iter = NULL;
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    return iter;
}

static void with_room_for(const estore *store, size_t capacity, size_t data_capacity)
{
    estore_iter *iter = iter_of(store);
    estore_status status;
    size_t n, data_len, seen = 0;
    for (;;) {
        n = data_len = 7777;
        status = estore_iter_next_columns(iter, times, seqs, ids, offsets, capacity, data, data_capacity, &n, &data_len, &err);
        if (status == ESTORE_END)
            break;
        ANSWERS(ESTORE_OK, status);
        if (n == 0) {
            /* No event was taken, and the same is said again until there is room. */
            const size_t needed = data_len;
            CHECK(needed > data_capacity);
            OK(estore_iter_next_columns(iter, times, seqs, ids, offsets, capacity, data, needed - 1, &n, &data_len, &err));
            CHECK(n == 0 && data_len == needed);
            OK(estore_iter_next_columns(iter, times, seqs, ids, offsets, capacity, data, needed, &n, &data_len, &err));
            CHECK(n > 0);
        }
        CHECK(n <= capacity);
        check_columns(seen, n, data_len);
        seen += n;
    }
    CHECK(n == 7777 && data_len == 7777 && seen == EVENTS);
    OK(estore_iter_close(&iter, &err));
}

int main(void)
{
    static const size_t capacities[] = {1, 2, 255, 256, 257, EVENTS};
    static const size_t rooms[] = {0, 1, 500, 70000, sizeof data};
    static char texts[EVENTS][1200];
    estore *store = open_store("store", NULL);
    estore_iter *iter;
    estore_event event;
    estore_status status;
    size_t i, j, n, data_len, seen;

    for (i = 0; i < EVENTS; i++) {
        const size_t len = data_of(i, texts[i]);
        event = event_at(i, (uint32_t)i * 3, "");
        event.data = (const uint8_t *)texts[i];
        event.len = (uint32_t)len;
        OK(estore_append(store, &event, 1, NULL, &err));
    }
    for (i = 0; i < sizeof capacities / sizeof *capacities; i++)
        for (j = 0; j < sizeof rooms / sizeof *rooms; j++)
            with_room_for(store, capacities[i], rooms[j]);

    /* Mixed with the other calls; a view that they gave ends here. */
    iter = iter_of(store);
    for (seen = 0; seen < EVENTS; seen += n) {
        if (seen % 3 == 0) {
            OK(estore_iter_next(iter, &event, &err));
            CHECK(event.time == seen);
            seen++;
        }
        OK(estore_iter_next_columns(iter, times, seqs, ids, offsets, 1 + seen % 50, data, sizeof data, &n, &data_len, &err));
        check_columns(seen, n, data_len);
    }
    ANSWERS(ESTORE_END, estore_iter_next_columns(iter, times, NULL, NULL, NULL, 1, NULL, 0, &n, NULL, &err));
    OK(estore_iter_close(&iter, &err));

    /* Without what isn't wanted; without offsets there is no data either. */
    iter = iter_of(store);
    for (seen = 0; (status = estore_iter_next_columns(iter, times, NULL, NULL, NULL, EVENTS, NULL, 12, &n, &data_len, &err)) == ESTORE_OK; seen += n)
        CHECK(n > 0 && data_len == 0 && times[0] == seen && times[n - 1] == seen + n - 1);
    ANSWERS(ESTORE_END, status);
    CHECK(seen == EVENTS);
    OK(estore_iter_close(&iter, &err));

    /* Lengths that can't be. */
    iter = iter_of(store);
    n = 7777;
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_columns(iter, times, NULL, NULL, NULL, 0, NULL, 0, &n, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_columns(iter, times, NULL, NULL, NULL, SIZE_MAX, NULL, 0, &n, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_columns(iter, times, NULL, NULL, offsets, 1, data, SIZE_MAX, &n, NULL, &err));
    CHECK(n == 7777);

    /* Damage: first all that lies before it, then the error, again and again. */
    flip("store/0-0.estore", 200000);
    for (seen = 0; (status = estore_iter_next_columns(iter, times, seqs, ids, offsets, EVENTS, data, sizeof data, &n, &data_len, &err)) == ESTORE_OK; seen += n)
        check_columns(seen, n, data_len);
    ANSWERS(ESTORE_ERR_CORRUPT, status);
    CHECK(seen > 0 && seen < EVENTS);
    n = 7777;
    ANSWERS(ESTORE_ERR_CORRUPT, estore_iter_next_columns(iter, times, seqs, ids, offsets, 1, data, 0, &n, &data_len, &err));
    CHECK(n == 7777);
    OK(estore_iter_close(&iter, &err));
    OK(estore_close(&store, &err));
    return 0;
}
