#define _GNU_SOURCE

#include "bridge.h"

#include <link.h>
#include <stdlib.h>

#include "_cgo_export.h"

/* The types that cgo gives exported Go functions have no const, so these stand between. */

static void on_log(void *userdata, int32_t level, const char *message, size_t len)
{
    estoreGoLog((uintptr_t)userdata, level, (char *)message, len);
}

static int32_t on_finding(void *userdata, int32_t kind, const char *path, size_t path_len, uint64_t offset, uint64_t len, const char *what,
                          size_t what_len)
{
    return estoreGoFinding((uintptr_t)userdata, kind, (char *)path, path_len, offset, len, (char *)what, what_len);
}

static int32_t on_progress(void *userdata, uint64_t done, uint64_t events)
{
    return estoreGoProgress((uintptr_t)userdata, done, events);
}

static void on_gap(void *userdata, const char *path, size_t path_len, uint64_t offset, uint64_t len, uint64_t first_time,
                   uint64_t last_time, const char *what, size_t what_len)
{
    estoreGoGap((uintptr_t)userdata, (char *)path, path_len, offset, len, first_time, last_time, (char *)what, what_len);
}

/* An address in memory, and the name of the library that it belongs to. */
typedef struct {
    uintptr_t address;
    const char *soname;
} owner;

static int find_owner(struct dl_phdr_info *info, size_t size, void *data)
{
    owner *wanted = data;
    const ElfW(Dyn) *dynamic = NULL;
    int owns = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && wanted->address >= start && wanted->address - start < part->p_memsz)
            owns = 1;
        if (part->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)start;
    }
    if (!owns)
        return 0;
    uintptr_t names = 0, name = 0;
    for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_STRTAB)
            names = dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SONAME)
            name = dynamic->d_un.d_val;
    }
    /* Some loaders leave the address as it is in the file. */
    if (names < info->dlpi_addr)
        names += info->dlpi_addr;
    if (name != 0)
        wanted->soname = (const char *)(names + name);
    return 1;
}

/* The text lies in the library; the address of a function may be one in the program. */
const char *estore_go_soname(void)
{
    owner wanted = {(uintptr_t)estore_version(), NULL};
    dl_iterate_phdr(find_owner, &wanted);
    return wanted.soname;
}

/* The call of the kind that the handle has. */
#define OF(log, name, ...) ((log).file != NULL ? efile_##name((log).file, __VA_ARGS__) : estore_##name((log).store, __VA_ARGS__))

estore_status estore_go_set_log(estore_options *options, uintptr_t handle)
{
    return estore_options_set_log(options, on_log, (void *)handle);
}

estore_status estore_go_open(const char *path, size_t len, const estore_options *options, int is_file, estore_go_log *log,
                             estore_go_answer *answer)
{
    return is_file ? efile_open(path, len, options, &log->file, &answer->err) : estore_open(path, len, options, &log->store, &answer->err);
}

estore_status estore_go_destroy(const char *path, size_t len, const estore_options *options, int is_file, estore_go_answer *answer)
{
    return is_file ? efile_destroy(path, len, options, &answer->err) : estore_destroy(path, len, options, &answer->err);
}

estore_status estore_go_close(estore_go_log log, estore_go_answer *answer)
{
    return log.file != NULL ? efile_close(&log.file, &answer->err) : estore_close(&log.store, &answer->err);
}

estore_status estore_go_append(estore_go_log log, const void *events, size_t n, estore_go_answer *answer)
{
    return OF(log, append, events, n, &answer->out[0], &answer->err);
}

estore_status estore_go_append_logging(estore_go_log log, const void *events, size_t n, estore_go_answer *answer)
{
    return estore_go_append(log, events, n, answer);
}

estore_status estore_go_append_absent(estore_go_log log, const void *events, size_t n, estore_go_answer *answer)
{
    uint64_t *out = answer->out;
    return OF(log, append_absent, events, n, &out[0], &out[1], &out[2], &out[3], &answer->err);
}

estore_status estore_go_sync(estore_go_log log, estore_go_answer *answer) { return OF(log, sync, &answer->out[0], &answer->err); }

estore_status estore_go_tick(estore_go_log log, estore_go_answer *answer) { return OF(log, tick, &answer->err); }

estore_status estore_go_last_seq(estore_go_log log, estore_go_answer *answer) { return OF(log, last_seq, &answer->out[0], &answer->err); }

estore_status estore_go_durable_seq(estore_go_log log, estore_go_answer *answer)
{
    return OF(log, durable_seq, &answer->out[0], &answer->err);
}

estore_status estore_go_count(estore_go_log log, uint64_t start, uint64_t end, estore_go_answer *answer)
{
    return OF(log, count, start, end, &answer->out[0], &answer->err);
}

estore_status estore_go_stats(estore_go_log log, uint64_t *values, size_t capacity, estore_go_answer *answer)
{
    size_t n = 0;
    estore_status status = OF(log, stats, values, capacity, &n, &answer->err);
    answer->out[0] = n;
    return status;
}

estore_status estore_go_splits(estore_go_log log, uint64_t start, uint64_t end, uint64_t *bounds, size_t capacity, estore_go_answer *answer)
{
    return estore_splits(log.store, start, end, bounds, capacity, &answer->out[0], &answer->err);
}

estore_status estore_go_retain(estore_go_log log, uint64_t max_age_ns, uint64_t max_bytes, int32_t dry_run, estore_go_answer *answer)
{
    uint64_t *out = answer->out;
    return estore_retain(log.store, max_age_ns, max_bytes, dry_run, &out[0], &out[1], &out[2], &out[3], &answer->err);
}

estore_status estore_go_delete_before(estore_go_log log, uint64_t time, estore_go_answer *answer)
{
    return estore_delete_before(log.store, time, &answer->err);
}

estore_status estore_go_verify(estore_go_log log, uintptr_t handle, estore_go_answer *answer)
{
    return OF(log, verify, on_finding, (void *)handle, &answer->out[0], &answer->out[1], &answer->err);
}

estore_status estore_go_compact(estore_go_log log, uint64_t start, uint64_t end, uintptr_t handle, estore_go_answer *answer)
{
    return OF(log, compact, start, end, on_progress, (void *)handle, &answer->out[0], &answer->out[1], &answer->err);
}

estore_status estore_go_snapshot(estore_go_log log, const char *dir, size_t dir_len, uintptr_t handle, estore_go_answer *answer)
{
    return OF(log, snapshot, dir, dir_len, on_progress, (void *)handle, &answer->out[0], &answer->out[1], &answer->out[2],
              &answer->out[3], NULL, &answer->err);
}

static estore_go_cursor *cursor_of(estore_iter *iter, estore_status status)
{
    if (status != ESTORE_OK)
        return NULL;
    estore_go_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        estore_iter_close(&iter, NULL);
        return NULL;
    }
    cursor->iter = iter;
    return cursor;
}

estore_go_cursor *estore_go_read(estore_go_log log, uint64_t start, uint64_t end, uint32_t flags, uint64_t limit, estore_status *status,
                                 estore_go_answer *answer)
{
    estore_iter *iter = NULL;
    *status = OF(log, read_iter, start, end, flags, limit, &iter, &answer->err);
    return cursor_of(iter, *status);
}

estore_go_cursor *estore_go_tail(estore_go_log log, uint64_t after_seq, estore_status *status, estore_go_answer *answer)
{
    estore_iter *iter = NULL;
    *status = OF(log, tail_iter, after_seq, &iter, &answer->err);
    return cursor_of(iter, *status);
}

estore_status estore_go_next(estore_go_cursor *cursor)
{
    return estore_iter_next_batch(cursor->iter, cursor->events, ESTORE_GO_BATCH, &cursor->n, &cursor->err);
}

estore_status estore_go_next_logging(estore_go_cursor *cursor) { return estore_go_next(cursor); }

estore_status estore_go_fd(estore_go_cursor *cursor, estore_go_answer *answer)
{
    int fd = -1;
    estore_status status = estore_iter_fd(cursor->iter, &fd, &answer->err);
    answer->out[0] = (uint64_t)fd;
    return status;
}

estore_status estore_go_snapshot_seq(estore_go_cursor *cursor, estore_go_answer *answer)
{
    return estore_iter_snapshot_seq(cursor->iter, &answer->out[0], &answer->err);
}

estore_status estore_go_gaps(estore_go_cursor *cursor, uintptr_t handle, estore_go_answer *answer)
{
    return estore_iter_gaps(cursor->iter, on_gap, (void *)handle, NULL, &answer->err);
}

estore_status estore_go_end(estore_go_cursor *cursor)
{
    estore_status status = estore_iter_close(&cursor->iter, NULL);
    free(cursor);
    return status;
}

estore_status estore_go_digest(estore_go_log log, uint64_t start, uint64_t end, uint64_t width_ns, uint64_t *buckets, size_t capacity,
                               estore_go_answer *answer)
{
    size_t n = 0;
    estore_status status = OF(log, digest, start, end, width_ns, buckets, capacity, &n, &answer->out[1], &answer->err);
    answer->out[0] = n;
    return status;
}

estore_status estore_go_digest_differences(uint64_t start, uint64_t end, uint64_t width_ns, const uint64_t *one, uint64_t one_horizon,
                                           const uint64_t *other, uint64_t other_horizon, size_t n, uint64_t *bounds,
                                           estore_go_answer *answer)
{
    size_t ranges = 0;
    estore_status status = estore_digest_differences(start, end, width_ns, one, one_horizon, other, other_horizon, n, bounds, n, &ranges,
                                                     &answer->err);
    answer->out[0] = ranges;
    return status;
}

estore_status estore_go_repair(estore_go_log to, estore_go_log from, uint64_t start, uint64_t end, uint32_t flags, uintptr_t handle,
                               uint64_t *values, estore_go_answer *answer)
{
    return to.file != NULL ? efile_repair(to.file, from.file, start, end, flags, on_gap, on_progress, (void *)handle, values,
                                          ESTORE_REPAIRED_COUNT, NULL, &answer->err)
                           : estore_repair(to.store, from.store, start, end, flags, on_gap, on_progress, (void *)handle, values,
                                           ESTORE_REPAIRED_COUNT, NULL, &answer->err);
}

estore_status estore_go_exchange_begin(estore_go_log log, uint64_t start, uint64_t end, uint32_t flags, estore_exchange **exchange,
                                       estore_go_answer *answer)
{
    return OF(log, exchange_begin, start, end, flags, exchange, &answer->err);
}

estore_status estore_go_exchange_repaired(estore_exchange *exchange, uintptr_t handle, uint64_t *values, estore_go_answer *answer)
{
    return estore_exchange_repaired(exchange, on_gap, (void *)handle, values, ESTORE_REPAIRED_COUNT, NULL, &answer->err);
}

estore_status estore_go_answer_message(estore_go_log log, const void *message, size_t len, estore_bytes **reply, estore_go_answer *answer)
{
    return OF(log, answer, message, len, reply, &answer->err);
}

estore_status estore_go_export_begin(estore_go_log log, uint64_t start, uint64_t end, uint32_t flags, uint64_t limit,
                                     estore_export **export, estore_go_answer *answer)
{
    return OF(log, export_begin, start, end, flags, limit, export, &answer->err);
}

estore_status estore_go_export_gaps(estore_export *export, uintptr_t handle, estore_go_answer *answer)
{
    return estore_export_gaps(export, on_gap, (void *)handle, NULL, &answer->err);
}

estore_status estore_go_import(estore_go_log log, const void *parcel, size_t len, estore_go_answer *answer)
{
    uint64_t *out = answer->out;
    return OF(log, import, parcel, len, &out[0], &out[1], &out[2], &out[3], &answer->err);
}
