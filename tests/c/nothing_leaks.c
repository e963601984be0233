/* Opening, appending, reading and closing, with errors in between, leaves nothing behind: no open descriptor, no thread, and (under
 * valgrind, where this runs too) no memory. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <dirent.h>
#include <unistd.h>

static char payload[3000];

/* The entries of a folder of /proc: open descriptors, or threads. */
static size_t count_of(const char *folder)
{
    DIR *entries = opendir(folder);
    size_t n = 0;
    CHECK(entries != NULL);
    while (readdir(entries) != NULL)
        n++;
    CHECK(closedir(entries) == 0);
    return n;
}

static estore_event large_event(uint64_t time)
{
    estore_event event = event_at(time, 1, "");
    event.data = (const uint8_t *)payload;
    event.len = sizeof payload;
    return event;
}

/* Everything that can be asked of a store, and much that can't. */
static void use(estore *store, estore_iter **left_open)
{
    estore_event batch[3], got[8], *too_many;
    estore_iter *iter = NULL;
    estore *second = NULL;
    uint64_t n = 0, bounds[4], values[ESTORE_STAT_COUNT];
    size_t count = 0;
    int i;

    for (i = 0; i < 15; i++) {
        batch[0] = large_event((uint64_t)i * 1000);
        batch[1] = large_event(DAY + (uint64_t)i);     /* another chunk */
        batch[2] = large_event((uint64_t)i * 10 % 100); /* late */
        OK(estore_append(store, batch, 3, NULL, &err));
    }
    OK(estore_append_absent(store, batch, 3, NULL, NULL, NULL, NULL, &err));
    OK(estore_sync(store, NULL, &err));
    OK(estore_count(store, 5, DAY + 7, &n, &err));
    OK(estore_stats(store, values, ESTORE_STAT_COUNT, &count, &err));
    OK(estore_splits(store, 0, 10 * DAY, bounds, 2, &n, &err));
    OK(estore_verify(store, NULL, NULL, NULL, NULL, &err));

    /* Refused: a second writer, what is too large, what makes no sense. */
    ANSWERS(ESTORE_ERR_LOCKED, estore_open("store", 5, NULL, &second, &err));
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_destroy("nothing", 7, NULL, &err));
    ANSWERS(ESTORE_ERR_RANGE, estore_read_iter(store, 9, 5, ESTORE_READ_FORWARD, 0, &iter, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_append(store, NULL, 3, NULL, &err));
    batch[0].len = 17 << 20;
    ANSWERS(ESTORE_ERR_TOO_LARGE, estore_append(store, batch, 3, NULL, &err));
    too_many = calloc(2000, sizeof *too_many);
    CHECK(too_many != NULL);
    for (i = 0; i < 2000; i++)
        too_many[i].time = (uint64_t)(i + 2) * DAY;
    ANSWERS(ESTORE_ERR_TOO_MANY_CHUNKS, estore_append(store, too_many, 2000, NULL, &err));
    free(too_many);

    /* Iterators: to the end, to the middle, not at all, the last few, beyond the close of the store. */
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    while (estore_iter_next_batch(iter, got, 8, &count, &err) == ESTORE_OK)
        CHECK(count > 0);
    OK(estore_iter_close(&iter, &err));
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_REVERSE, 0, &iter, &err));
    OK(estore_iter_next(iter, got, &err));
    OK(estore_iter_close(&iter, &err));
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_iter_close(&iter, &err));
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_LAST | ESTORE_READ_SALVAGE, 3, &iter, &err));
    OK(estore_iter_next(iter, got, &err));
    OK(estore_iter_gaps(iter, NULL, NULL, &count, &err));
    OK(estore_iter_close(&iter, &err));
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, left_open, &err));
    OK(estore_iter_next(*left_open, got, &err));
    OK(estore_delete_before(store, DAY, &err));
}

static void life(int32_t durability)
{
    estore_options *options = estore_options_new(), *reading = estore_options_new();
    estore_iter *left_open = NULL;
    estore_event event = event_at(1, 1, "a");
    estore *store = NULL;
    efile *file = NULL;

    OK(estore_options_set_durability(options, durability, SECOND));
    OK(estore_options_set_grace_ns(options, 50));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_mode(options, 99));
    OK(estore_options_set_mode(reading, ESTORE_MODE_READ_ONLY));

    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_open("store", 5, reading, &store, &err));
    store = open_store("store", options);
    use(store, &left_open);
    OK(estore_close(&store, &err));
    store = open_store("store", reading);
    ANSWERS(ESTORE_ERR_READ_ONLY, estore_append(store, &event, 1, NULL, &err));
    OK(estore_close(&store, &err));
    OK(estore_iter_next(left_open, &event, &err));
    OK(estore_iter_close(&left_open, &err));
    ANSWERS(ESTORE_ERR_NOT_A_STORE, efile_open("store", 5, NULL, &file, &err));
    OK(estore_destroy("store", 5, NULL, &err));

    OK(efile_open("efile", 5, options, &file, &err));
    event = event_at(1, 1, "a");
    OK(efile_append(file, &event, 1, NULL, &err));
    OK(efile_read_iter(file, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &left_open, &err));
    CHECK(strcmp(all_data(left_open), "a") == 0);
    OK(efile_close(&file, &err));
    OK(efile_destroy("efile", 5, NULL, &err));
    OK(estore_options_free(&reading));
    OK(estore_options_free(&options));
}

int main(void)
{
    const int32_t levels[] = {ESTORE_DURABILITY_BUFFERED, ESTORE_DURABILITY_PROCESS, ESTORE_DURABILITY_INTERVAL, ESTORE_DURABILITY_POWER};
    size_t files = 0, threads = 0;
    int i;

    /* Once around to warm up: what the library and the system set up once. */
    for (i = 0; i < 12; i++) {
        if (i == 4) {
            files = count_of("/proc/self/fd");
            threads = count_of("/proc/self/task");
        }
        life(levels[i % 4]);
    }
    CHECK(count_of("/proc/self/fd") == files);
    CHECK(count_of("/proc/self/task") == threads);
    return 0;
}
