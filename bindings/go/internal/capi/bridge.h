/* The calls that Go makes: those of estore.h with store and efile as one, and what several calls would cost as one. */
#ifndef ESTORE_GO_BRIDGE_H
#define ESTORE_GO_BRIDGE_H

#include <estore.h>

/* The version of the ABI that this is written for: the number in the name of the library. */
#define ESTORE_GO_SONAME "libestore.so.1"

/* Events that one call brings. */
#define ESTORE_GO_BATCH 256

/* A handle of either kind; exactly one of the two is set. */
typedef struct {
    estore *store;
    efile *file;
} estore_go_log;

/* What a call tells: the error, and up to four numbers. It holds no pointers, so that Go may keep it in its own memory. */
typedef struct {
    estore_error err;
    uint64_t out[4];
} estore_go_answer;

/* An iterator with room for one batch and for its errors, in C memory: a call for the next batch passes one pointer. */
typedef struct {
    estore_iter *iter;
    size_t n;
    estore_event events[ESTORE_GO_BATCH];
    estore_error err;
} estore_go_cursor;

/* The name that the library has given itself, however its file is called; NULL for a static one. */
const char *estore_go_soname(void);

estore_status estore_go_set_log(estore_options *options, uintptr_t handle);

estore_status estore_go_open(const char *path, size_t len, const estore_options *options, int is_file, estore_go_log *log,
                             estore_go_answer *answer);
estore_status estore_go_destroy(const char *path, size_t len, const estore_options *options, int is_file, estore_go_answer *answer);
estore_status estore_go_close(estore_go_log log, estore_go_answer *answer);

/* The two differ in what Go knows of them: see the directives in capi.go. */
estore_status estore_go_append(estore_go_log log, const void *events, size_t n, estore_go_answer *answer);
estore_status estore_go_append_logging(estore_go_log log, const void *events, size_t n, estore_go_answer *answer);
estore_status estore_go_append_absent(estore_go_log log, const void *events, size_t n, estore_go_answer *answer);

estore_status estore_go_sync(estore_go_log log, estore_go_answer *answer);
estore_status estore_go_tick(estore_go_log log, estore_go_answer *answer);
estore_status estore_go_last_seq(estore_go_log log, estore_go_answer *answer);
estore_status estore_go_durable_seq(estore_go_log log, estore_go_answer *answer);
estore_status estore_go_count(estore_go_log log, uint64_t start, uint64_t end, estore_go_answer *answer);
estore_status estore_go_stats(estore_go_log log, uint64_t *values, size_t capacity, estore_go_answer *answer);
estore_status estore_go_splits(estore_go_log log, uint64_t start, uint64_t end, uint64_t *bounds, size_t capacity, estore_go_answer *answer);
estore_status estore_go_retain(estore_go_log log, uint64_t max_age_ns, uint64_t max_bytes, int32_t dry_run, estore_go_answer *answer);
estore_status estore_go_delete_before(estore_go_log log, uint64_t time, estore_go_answer *answer);
estore_status estore_go_verify(estore_go_log log, uintptr_t handle, estore_go_answer *answer);
estore_status estore_go_compact(estore_go_log log, uint64_t start, uint64_t end, uintptr_t handle, estore_go_answer *answer);
estore_status estore_go_snapshot(estore_go_log log, const char *dir, size_t dir_len, uintptr_t handle, estore_go_answer *answer);

/* The cursor is NULL if there was no memory for it, or no iterator. */
estore_go_cursor *estore_go_read(estore_go_log log, uint64_t start, uint64_t end, uint32_t flags, uint64_t limit, estore_status *status,
                                 estore_go_answer *answer);
estore_go_cursor *estore_go_tail(estore_go_log log, uint64_t after_seq, estore_status *status, estore_go_answer *answer);
estore_status estore_go_next(estore_go_cursor *cursor);
estore_status estore_go_next_logging(estore_go_cursor *cursor);
estore_status estore_go_fd(estore_go_cursor *cursor, estore_go_answer *answer);
estore_status estore_go_snapshot_seq(estore_go_cursor *cursor, estore_go_answer *answer);
estore_status estore_go_gaps(estore_go_cursor *cursor, uintptr_t handle, estore_go_answer *answer);
estore_status estore_go_end(estore_go_cursor *cursor);


/* Buckets as estore_digest gives them; the answer has the number of them and the horizon. */
estore_status estore_go_digest(estore_go_log log, uint64_t start, uint64_t end, uint64_t width_ns, uint64_t *buckets, size_t capacity,
                               estore_go_answer *answer);
/* The answer has the number of ranges. */
estore_status estore_go_digest_differences(uint64_t start, uint64_t end, uint64_t width_ns, const uint64_t *one, uint64_t one_horizon,
                                           const uint64_t *other, uint64_t other_horizon, size_t n, uint64_t *bounds,
                                           estore_go_answer *answer);
estore_status estore_go_repair(estore_go_log to, estore_go_log from, uint64_t start, uint64_t end, uint32_t flags, uintptr_t handle,
                               uint64_t *values, estore_go_answer *answer);
estore_status estore_go_exchange_begin(estore_go_log log, uint64_t start, uint64_t end, uint32_t flags, estore_exchange **exchange,
                                       estore_go_answer *answer);
estore_status estore_go_exchange_repaired(estore_exchange *exchange, uintptr_t handle, uint64_t *values, estore_go_answer *answer);
estore_status estore_go_answer_message(estore_go_log log, const void *message, size_t len, estore_bytes **reply, estore_go_answer *answer);
estore_status estore_go_export_begin(estore_go_log log, uint64_t start, uint64_t end, uint32_t flags, uint64_t limit,
                                     estore_export **export, estore_go_answer *answer);
estore_status estore_go_export_gaps(estore_export *export, uintptr_t handle, estore_go_answer *answer);
estore_status estore_go_import(estore_go_log log, const void *parcel, size_t len, estore_go_answer *answer);

#endif
