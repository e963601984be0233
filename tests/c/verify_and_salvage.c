/* A damaged frame is found and located, an ordinary read fails at it, and a salvaging one gives every event outside of it and tells the
 * gap. The function that receives findings may call the store. */
#include "check.h"

struct seen {
    const estore *store;
    int findings;
    int stop_after;
    uint64_t offset, len;
    uint64_t first_time, last_time;
    char path[256], what[256];
};

static int32_t on_finding(void *userdata, int32_t kind, const char *path, size_t path_len, uint64_t offset, uint64_t len, const char *what,
                          size_t what_len)
{
    struct seen *seen = userdata;
    uint64_t seq = 0;
    CHECK(path_len == strlen(path) && what_len == strlen(what) && what_len > 0 && path_len < sizeof seen->path);
    CHECK(kind == ESTORE_FINDING_DAMAGE);
    OK(estore_last_seq(seen->store, &seq, &err));
    CHECK(seq > 0);
    strcpy(seen->path, path);
    seen->offset = offset;
    seen->len = len;
    seen->findings++;
    return seen->findings == seen->stop_after;
}

static void on_gap(void *userdata, const char *path, size_t path_len, uint64_t offset, uint64_t len, uint64_t first_time,
                   uint64_t last_time, const char *what, size_t what_len)
{
    struct seen *seen = userdata;
    CHECK(path_len == strlen(path) && what_len == strlen(what) && what_len > 0 && path_len < sizeof seen->path);
    strcpy(seen->path, path);
    seen->offset = offset;
    seen->len = len;
    seen->first_time = first_time;
    seen->last_time = last_time;
    seen->findings++;
}

int main(void)
{
    /* A log begins with 64 bytes; each of these events takes a frame of 64 bytes and its data. */
    enum { LOG_HEADER = 64, FRAME = 64 + 3 };
    estore *store = open_store("store", NULL);
    estore_iter *iter = NULL;
    estore_event event;
    struct seen seen = {0};
    uint64_t events = 0, damaged = 7;
    size_t gaps = 7;

    append_text(store, 10, "one");
    append_text(store, 20, "two");
    append_text(store, 30, "six");
    append_text(store, 40, "ten");
    seen.store = store;
    OK(estore_verify(store, on_finding, &seen, &events, &damaged, &err));
    CHECK(seen.findings == 0 && events == 4 && damaged == 0);

    flip("store/0-0.estore", LOG_HEADER + FRAME + 64);
    flip("store/0-0.estore", LOG_HEADER + 2 * FRAME + 64);
    OK(estore_verify(store, on_finding, &seen, &events, &damaged, &err));
    CHECK(seen.findings == 2 && events == 2 && damaged == 2);
    CHECK(strcmp(seen.path, "store/0-0.estore") == 0 && seen.offset == LOG_HEADER + 2 * FRAME && seen.len == FRAME);
    seen.findings = 0;
    seen.stop_after = 1;
    OK(estore_verify(store, on_finding, &seen, NULL, &damaged, &err));
    CHECK(seen.findings == 1 && damaged == 1);

    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    OK(estore_iter_next(iter, &event, &err));
    CHECK(has_data(&event, "one"));
    ANSWERS(ESTORE_ERR_CORRUPT, estore_iter_next(iter, &event, &err));
    CHECK(strstr(err.message, "0-0.estore") != NULL && err.offset == LOG_HEADER + FRAME);
    OK(estore_iter_gaps(iter, on_gap, &seen, &gaps, &err));
    CHECK(gaps == 0);
    OK(estore_iter_close(&iter, &err));

    seen.findings = 0;
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_SALVAGE | ESTORE_READ_REVERSE, 0, &iter, &err));
    OK(estore_iter_next(iter, &event, &err));
    CHECK(has_data(&event, "ten"));
    OK(estore_iter_gaps(iter, on_gap, &seen, &gaps, &err));
    CHECK(has_data(&event, "ten")); /* views stay */
    OK(estore_iter_next(iter, &event, &err));
    CHECK(has_data(&event, "one"));
    ANSWERS(ESTORE_END, estore_iter_next(iter, &event, &err));
    seen.findings = 0;
    OK(estore_iter_gaps(iter, on_gap, &seen, &gaps, &err));
    CHECK(gaps == 2 && seen.findings == 2);
    CHECK(seen.offset == LOG_HEADER + 2 * FRAME && seen.len == FRAME && seen.first_time == 30 && seen.last_time == 30);
    OK(estore_iter_close(&iter, &err));

    CHECK(strcmp(read_data(store, 0, 50, ESTORE_READ_SALVAGE, 0), "one ten") == 0);
    CHECK(strcmp(read_data(store, 0, 50, ESTORE_READ_SALVAGE | ESTORE_READ_LAST, 1), "ten") == 0);
    ANSWERS(ESTORE_ERR_INVALID, estore_read_iter(store, 0, 1, 8, 0, &iter, &err));
    OK(estore_close(&store, &err));
    return 0;
}
