/* Length 0 ignores the pointer. A length that can't be is refused before anything is read: all that is passed here ends right before memory
 * that nobody may touch. */
#define _DEFAULT_SOURCE
#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

static void *const NOWHERE = (void *)1;

/* A copy whose last byte is the last one before memory that can't be read. */
static void *at_the_edge(const void *bytes, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && len <= page && mprotect(pages + page, page, PROT_NONE) == 0);
    return memcpy(pages + page - len, bytes, len);
}

static void zero(estore *store)
{
    estore_event event = {7, 0, NULL, 0, 1}, got[2];
    estore_iter *iter = NULL;
    uint64_t seq = 0, pieces = 0;
    size_t n = 9;

    event.data = NOWHERE;
    OK(estore_append(store, NOWHERE, 0, &seq, &err));
    CHECK(seq == 0);
    OK(estore_append(store, &event, 1, &seq, &err));
    OK(estore_append_absent(store, NOWHERE, 0, NULL, NULL, NULL, NULL, &err));
    OK(estore_event_init(&event, NOWHERE, 0));
    CHECK(event.data == NULL && event.len == 0);
    OK(estore_stats(store, NOWHERE, 0, &n, &err));
    CHECK(n >= ESTORE_STAT_COUNT);
    OK(estore_splits(store, 0, UINT64_MAX, NOWHERE, 0, &pieces, &err));
    CHECK(pieces > 1);
    ANSWERS(ESTORE_ERR_INVALID, estore_duration_parse(NOWHERE, 0, &seq, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_open(NOWHERE, 0, NULL, &store, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_destroy(NOWHERE, 0, NULL, &err));

    /* No room for events is refused, and takes none away. */
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    n = 9;
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_batch(iter, got, 0, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_batch(iter, NULL, 0, &n, &err));
    CHECK(n == 9);
    OK(estore_iter_next_batch(iter, got, 2, &n, &err));
    CHECK(n == 1 && got[0].time == 7 && got[0].len == 0);
    OK(estore_iter_close(&iter, &err));
}

static void huge(estore *store)
{
    const size_t lens[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 2, UINT32_MAX, 5000};
    const uint32_t event_lens[] = {UINT32_MAX, UINT32_MAX - 1, UINT32_C(1) << 31, (UINT32_C(1) << 30) + 1, (1 << 24) + 1};
    const char *path = at_the_edge("a-path", 6), *duration = at_the_edge("1", 1);
    estore_event event = event_at(1, 1, "a"), got[4], *edge;
    estore *other = NULL;
    efile *file = NULL;
    estore_iter *iter = NULL;
    uint64_t number = 9, before = 0, count = 0;
    size_t n = 9, i;

    OK(estore_count(store, 0, UINT64_MAX, &before, &err));
    OK(efile_open("efile", 5, NULL, &file, &err));
    for (i = 0; i < sizeof lens / sizeof *lens; i++) {
        ANSWERS(ESTORE_ERR_INVALID, estore_open(path, lens[i], NULL, &other, &err));
        ANSWERS(ESTORE_ERR_INVALID, estore_destroy(path, lens[i], NULL, &err));
        ANSWERS(ESTORE_ERR_INVALID, efile_open(path, lens[i], NULL, &file, &err));
        ANSWERS(ESTORE_ERR_INVALID, efile_destroy(path, lens[i], NULL, &err));
        ANSWERS(ESTORE_ERR_INVALID, estore_duration_parse(duration, lens[i], &number, &err));
    }
    for (i = 0; i < sizeof event_lens / sizeof *event_lens; i++) {
        event.data = at_the_edge("a", 1);
        event.len = event_lens[i];
        ANSWERS(ESTORE_ERR_TOO_LARGE, estore_append(store, &event, 1, &number, &err));
        ANSWERS(ESTORE_ERR_TOO_LARGE, estore_append_absent(store, &event, 1, &number, NULL, NULL, NULL, &err));
        ANSWERS(ESTORE_ERR_TOO_LARGE, efile_append(file, &event, 1, &number, &err));
    }
    if (SIZE_MAX > UINT32_MAX)
        ANSWERS(ESTORE_ERR_TOO_LARGE, estore_event_init(&event, NOWHERE, SIZE_MAX));

    /* Arrays that are longer than any memory. */
    event = event_at(1, 1, "a");
    edge = at_the_edge(&event, sizeof event);
    for (i = 0; i < 2; i++) {
        ANSWERS(ESTORE_ERR_INVALID, estore_append(store, edge, lens[i], &number, &err));
        ANSWERS(ESTORE_ERR_INVALID, estore_append_absent(store, edge, lens[i], &number, NULL, NULL, NULL, &err));
        ANSWERS(ESTORE_ERR_INVALID, efile_append(file, edge, lens[i], &number, &err));
        ANSWERS(ESTORE_ERR_INVALID, estore_stats(store, &number, lens[i], &n, &err));
        ANSWERS(ESTORE_ERR_INVALID, estore_splits(store, 0, 1, &number, lens[i], &number, &err));
    }
    OK(estore_count(store, 0, UINT64_MAX, &count, &err));
    CHECK(number == 9 && n == 9 && count == before && other == NULL);

    /* No more is written than there is, however much room there is said to be. */
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next_batch(iter, got, SIZE_MAX, &n, &err));
    OK(estore_iter_next_batch(iter, got, SIZE_MAX / 64, &n, &err));
    CHECK(n == count);
    OK(estore_iter_close(&iter, &err));
    OK(efile_close(&file, &err));
}

int main(void)
{
    estore *store = open_store("store", NULL);
    zero(store);
    huge(store);
    OK(estore_close(&store, &err));
    return 0;
}
