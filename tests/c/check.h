/* What the test programs share: checks that say where they failed, and short names for what every program does. Each program is started
 * in an empty folder of its own, so it calls its stores by plain names. */
#ifndef CHECK_H
#define CHECK_H

#include <estore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

/* The call answers with this status. The last message is in `err` if the call was given it. */
#define ANSWERS(expected, call)                                                                                     \
    do {                                                                                                            \
        estore_status expected_ = (expected), status_ = (call);                                                     \
        if (status_ != expected_) {                                                                                 \
            fprintf(stderr, "%s:%d: %s: %d (%s), not %d (%s)\n%s\n", __FILE__, __LINE__, #call, (int)status_,       \
                    estore_strerror(status_), (int)expected_, estore_strerror(expected_), err.message);             \
            exit(1);                                                                                                \
        }                                                                                                           \
    } while (0)

#define OK(call) ANSWERS(ESTORE_OK, call)

static estore_error err = ESTORE_ERROR_INIT;

/* An event at a time, whose data is a text. */
static inline estore_event event_at(uint64_t time, uint32_t id, const char *text)
{
    estore_event event;
    event.time = time;
    event.seq = 0;
    event.data = (const uint8_t *)text;
    event.len = (uint32_t)strlen(text);
    event.id = id;
    return event;
}

static inline int has_data(const estore_event *event, const char *text)
{
    return event->len == strlen(text) && memcmp(event->data, text, event->len) == 0;
}

static inline estore *open_store(const char *path, const estore_options *options)
{
    estore *store = NULL;
    OK(estore_open(path, strlen(path), options, &store, &err));
    CHECK(store != NULL);
    return store;
}

static inline void append_text(estore *store, uint64_t time, const char *text)
{
    estore_event event = event_at(time, 1, text);
    OK(estore_append(store, &event, 1, NULL, &err));
}

/* What an iterator gives, as one text: "a b c". Closes the iterator. */
static inline const char *all_data(estore_iter *iter)
{
    static char text[4096];
    size_t used = 0;
    estore_event event;
    estore_status status;
    while ((status = estore_iter_next(iter, &event, &err)) == ESTORE_OK) {
        CHECK(used + event.len + 2 < sizeof text);
        if (used > 0)
            text[used++] = ' ';
        memcpy(text + used, event.data, event.len);
        used += event.len;
    }
    ANSWERS(ESTORE_END, status);
    text[used] = '\0';
    OK(estore_iter_close(&iter, &err));
    return text;
}

static inline const char *read_data(const estore *store, uint64_t start, uint64_t end, uint32_t flags, uint64_t limit)
{
    estore_iter *iter = NULL;
    OK(estore_read_iter(store, start, end, flags, limit, &iter, &err));
    return all_data(iter);
}

/* Damages one bit of a file. */
static inline void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    int byte;
    CHECK(file != NULL && fseek(file, at, SEEK_SET) == 0 && (byte = fgetc(file)) != EOF);
    CHECK(fseek(file, at, SEEK_SET) == 0 && fputc(byte ^ 8, file) != EOF && fclose(file) == 0);
}

#define SECOND UINT64_C(1000000000)
#define DAY (86400 * SECOND)

#endif
