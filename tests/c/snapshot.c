/* A snapshot is a store with what was there at one moment, goes on from an earlier one, and is refused where it would harm something. */
#include "check.h"

struct told {
    estore *store;
    int calls;
    int stop_after;
    uint64_t done;
};

static int32_t on_progress(void *userdata, uint64_t done, uint64_t events)
{
    struct told *told = userdata;
    estore_event event = {1, 0, NULL, 0, 0};
    CHECK(done >= told->done && done <= events);
    told->done = done;
    told->calls++;
    ANSWERS(ESTORE_ERR_INVALID, estore_append(told->store, &event, 1, NULL, &err));
    return told->calls == told->stop_after;
}

static const char *data_in(const char *path)
{
    estore_options *options = estore_options_new();
    estore *store;
    const char *text;
    CHECK(options != NULL);
    OK(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    store = open_store(path, options);
    text = read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0);
    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return text;
}

int main(void)
{
    estore *store = open_store("store", NULL), *copy;
    estore_iter *iter = NULL;
    estore_event event;
    efile *file = NULL;
    FILE *foreign;
    struct told told = {0};
    uint64_t seq = 7, copied = 7, linked = 7, damaged = 7, first;
    int32_t stopped = 7;

    append_text(store, 2, "b");
    append_text(store, 1, "a");

    /* Stopped, it leaves nothing. */
    told.store = store;
    told.stop_after = 1;
    OK(estore_snapshot(store, "copy", 4, on_progress, &told, &seq, &copied, &linked, &damaged, &stopped, &err));
    CHECK(stopped == 1 && seq == 0 && copied == 0 && linked == 0 && damaged == 0);
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_destroy("copy", 4, NULL, &err));

    told.stop_after = told.calls = 0;
    OK(estore_snapshot(store, "copy", 4, on_progress, &told, &seq, &copied, &linked, &damaged, &stopped, &err));
    CHECK(stopped == 0 && seq == 2 && copied > 0 && linked == 0 && damaged == 0 && told.done == 2);
    append_text(store, 3, "c");
    CHECK(strcmp(data_in("copy"), "a b") == 0);

    /* Again: what is new is copied, and what compaction has made shares its bytes. */
    first = copied;
    OK(estore_snapshot(store, "copy", 4, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    CHECK(seq == 3 && copied > 0 && copied < first);
    CHECK(strcmp(data_in("copy"), "a b c") == 0);
    OK(estore_compact(store, 0, UINT64_MAX, NULL, NULL, NULL, NULL, &err));
    OK(estore_snapshot(store, "copy", 4, NULL, NULL, NULL, &copied, &linked, NULL, NULL, &err));
    CHECK(copied == 0 && linked > 0);
    CHECK(strcmp(data_in("copy"), "a b c") == 0);

    seq = copied = 7;
    ANSWERS(ESTORE_ERR_INVALID, estore_snapshot(store, "store", 5, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_snapshot(store, "store/in", 8, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_snapshot(store, "", 0, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_IO, estore_snapshot(store, "no/folder", 9, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    foreign = fopen("file", "w");
    CHECK(foreign != NULL && fclose(foreign) == 0);
    ANSWERS(ESTORE_ERR_NOT_A_FOLDER, estore_snapshot(store, "file", 4, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_FOREIGN_FILES, estore_snapshot(store, ".", 1, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));

    /* Opened for writing it goes its own way: a cursor goes on in it, and it is no earlier snapshot any more. */
    copy = open_store("copy", NULL);
    ANSWERS(ESTORE_ERR_EXISTS, estore_snapshot(store, "copy", 4, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    OK(estore_tail_iter(copy, 3, &iter, &err));
    append_text(copy, 9, "only here");
    OK(estore_iter_next(iter, &event, &err));
    CHECK(event.time == 9 && event.seq == 4);
    OK(estore_iter_close(&iter, &err));
    OK(estore_close(&copy, &err));
    ANSWERS(ESTORE_ERR_EXISTS, estore_snapshot(store, "copy", 4, NULL, NULL, &seq, &copied, NULL, NULL, NULL, &err));
    CHECK(seq == 7 && copied == 7);
    OK(estore_close(&store, &err));
    CHECK(strcmp(data_in("copy"), "a b c only here") == 0);

    OK(efile_open("efile", 5, NULL, &file, &err));
    event = event_at(5, 1, "x");
    OK(efile_append(file, &event, 1, NULL, &err));
    OK(efile_snapshot(file, "other", 5, NULL, NULL, &seq, &copied, &linked, &damaged, &stopped, &err));
    CHECK(seq == 1 && copied > 0 && stopped == 0);
    OK(efile_close(&file, &err));
    ANSWERS(ESTORE_ERR_NOT_A_STORE, estore_open("other", 5, NULL, &copy, &err));
    OK(efile_open("other", 5, NULL, &file, &err));
    OK(efile_close(&file, &err));
    return 0;
}
