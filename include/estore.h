/*
 * estore: an embedded, append-only store for mostly ordered, time-indexed events and logs.
 *
 * CONCEPTS
 *
 * An event is a time (nanoseconds since 1970, by convention), an id (32 bits) and data (any bytes). Two events with the same three are
 * the same event. The store gives each appended event a seq, its arrival number: it rises over the whole store, has gaps, and is never
 * given twice.
 *
 * An estore is a folder of chunks, one for each file_size of time (a day, unless said otherwise). An efile is the simple store: a single
 * log of any time range. Both have nearly the same functions, estore_ and efile_, and share events, iterators, options and errors.
 *
 * Reading is exact: events come by (time, seq), whatever the order they were appended in. An event that lies more than the grace behind
 * the newest of its chunk is late; it is stored beside the others and read in its place like any other. (One lone event more than the
 * grace ahead does not count as the newest until a second one is so far ahead: it may be a broken clock.) An iterator shows the moment
 * at which it was made, and nothing changes or blocks it.
 *
 * A WHOLE PROGRAM
 *
 *     #include <estore.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         estore *store = NULL;
 *         estore_iter *iter = NULL;
 *         estore_event event;
 *         estore_error err = ESTORE_ERROR_INIT;
 *         estore_status status;
 *
 *         if ((status = estore_event_init(&event, (const uint8_t *)"hello", 5)) != ESTORE_OK) {
 *             fprintf(stderr, "%s\n", estore_strerror(status));
 *             return 1;
 *         }
 *         if (estore_open("events", 6, NULL, &store, &err) == ESTORE_OK &&
 *             estore_append(store, &event, 1, NULL, &err) == ESTORE_OK &&
 *             estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err) == ESTORE_OK) {
 *             while ((status = estore_iter_next(iter, &event, &err)) == ESTORE_OK)
 *                 printf("%llu %.*s\n", (unsigned long long)event.time, (int)event.len, (const char *)event.data);
 *             estore_iter_close(&iter, NULL);
 *             if (status == ESTORE_END && estore_close(&store, &err) == ESTORE_OK)
 *                 return 0;
 *         }
 *         fprintf(stderr, "%s\n", err.message);
 *         return 1;
 *     }
 *
 *     cc program.c -lestore
 *
 * ERRORS
 *
 * A function that can fail returns an estore_status: 0 is fine, positive an outcome (such as ESTORE_END), negative an error. The detail
 * goes into an estore_error of the caller, whose address is the last argument; NULL there means that it isn't wanted. Where a function
 * takes none, estore_strerror says what its status means. Outputs are written on success only. NULL for a handle or a needed output is
 * ESTORE_ERR_INVALID, never a crash.
 *
 * DURABILITY AND DAMAGE
 *
 * What an append survives once it has returned is an option of the handle (estore_options_set_durability):
 *
 *                 the program dies               the machine loses power
 *     BUFFERED    the buffer is lost             that, and what the system had not written
 *     PROCESS     nothing is lost                what the system had not written is lost
 *     INTERVAL    nothing is lost                at most the last interval is lost
 *     POWER       nothing is lost                nothing is lost
 *
 * After a crash estore_open finds all that was promised. What it cuts off was not promised; the bytes are kept in files beside the logs,
 * and the log callback and the stats tell how many. A failed sync, or a write that fails when it has begun, stops the writer
 * (ESTORE_ERR_POISONED) until the store is opened again; the append that met it answers ESTORE_ERR_OUTCOME_UNKNOWN. A full disk stops
 * nothing: ESTORE_ERR_NO_SPACE stored nothing, and the call works again once there is space.
 *
 * Damage is an error that names the file and the place (ESTORE_ERR_CORRUPT), never another event. estore_verify finds it, and reading with
 * ESTORE_READ_SALVAGE gives all that lies outside of it. Index and recon files are made anew by themselves.
 *
 * REPLICAS
 *
 * Stores that should hold the same events drift apart: a machine was down, a message was lost or came twice. They need not have the same
 * settings, and each gives seqs of its own; what counts is which events (time, id, data) they have. estore_digest and
 * estore_digest_differences say where two differ, and estore_repair brings one, or each of the two, what it lacks. Where they are on
 * different machines estore_exchange_begin does the same by messages that the caller carries, and estore_export_begin makes parcels of
 * events for estore_import. An event that is there already is never stored again, so all of these may be stopped at any point and repeated.
 *
 * OWNERSHIP
 *
 * The caller owns the handles it was given and ends each with its close (or free) function, which takes the address of the variable and
 * sets it to NULL. Handles of any kind may be closed in any order. Nothing that the library returns is for free(). Data and
 * texts are passed as pointer and length; length 0 ignores the pointer. What is passed in is borrowed during the call.
 *
 * Events that an iterator gives are views of its memory: they end when the next ones are asked of it, and with its close. Copy what is
 * kept longer, or have it copied by estore_iter_next_columns.
 *
 * THREADS
 *
 * A store may be used by any number of threads at once, in any combination of calls. Options, iterators, exchanges and exports are used by
 * one thread at a time, which need not be the one that made them; several of one store are independent. Opening only reads the options, so one
 * set may open several stores at once. While a handle is being closed nobody else may use it. Each function says the same for itself.
 *
 * FORK AND SIGNALS
 *
 * A forked child can only close the handles of its parent, which touches neither files nor locks; all else answers ESTORE_ERR_FORKED. It
 * may open the store for itself. The library installs no signal handlers, its own threads block all signals, it prints nothing, and its
 * file descriptors are closed on exec. One process at a time writes to a store, any number read it.
 *
 * LIMITS
 *
 * Data of one event: 16 MiB unless the options say more, 1 GiB at most. Times: every 64-bit number; a range is inclusive at both ends.
 * A path, or the text of a duration: 4096 bytes.
 * Durations as people type them (1d, 30s, 500ms) become nanoseconds by estore_duration_parse.
 *
 * Each function below is described in one order: what it does, arguments with their units, what it returns, ownership and lifetime,
 * threads, statuses, and since when it exists. This file is generated: see cbindgen.toml.
 */


#ifndef ESTORE_H
#define ESTORE_H

#include <stddef.h>
#include <stdint.h>

/** The start value of an estore_error. */
#define ESTORE_ERROR_INIT { 0, 0, UINT64_MAX, { 0 } }


/**
 * First number of the version of this header.
 */
#define ESTORE_VERSION_MAJOR 0

/**
 * Second number of the version of this header.
 */
#define ESTORE_VERSION_MINOR 1

/**
 * Third number of the version of this header.
 */
#define ESTORE_VERSION_PATCH 0

/**
 * The version of this header as one number: major * 1000000 + minor * 1000 + patch. Compare with estore_version_number.
 */
#define ESTORE_VERSION_NUMBER 1000

/**
 * The size of the message in estore_error in bytes, with its NUL.
 */
#define ESTORE_ERROR_MESSAGE_LEN 496

/**
 * The offset in estore_error where there is none.
 */
#define ESTORE_NO_OFFSET UINT64_MAX

/**
 * mode: open the store, or create it (and the last folder of its path) if there is none. The default.
 */
#define ESTORE_MODE_CREATE_IF_MISSING 0

/**
 * mode: create the store; one that is there already is an error.
 */
#define ESTORE_MODE_CREATE_NEW 1

/**
 * mode: open the store; a missing one is an error.
 */
#define ESTORE_MODE_EXISTING 2

/**
 * mode: open it for reading only. Takes no lock, writes nothing, and works beside a writer: each read shows what that has handed to the
 * system by then.
 */
#define ESTORE_MODE_READ_ONLY 3

/**
 * durability: an append that returned may be lost when the process dies, up to a bounded buffer; see estore_options_set_buffer.
 */
#define ESTORE_DURABILITY_BUFFERED 0

/**
 * durability: an append that returned survives the death of the process, but not of the machine.
 */
#define ESTORE_DURABILITY_PROCESS 1

/**
 * durability: as ESTORE_DURABILITY_PROCESS, and at most so many nanoseconds later also loss of power. The default, with one second.
 */
#define ESTORE_DURABILITY_INTERVAL 2

/**
 * durability: an append that returned survives loss of power. Appends that run at once share their syncs.
 */
#define ESTORE_DURABILITY_POWER 3

/**
 * compression: compaction stores events as they are.
 */
#define ESTORE_COMPRESSION_NONE 0

/**
 * compression: compaction compresses with LZ4, some 64 KiB at a time; what does not get smaller by an eighth is stored as it is.
 */
#define ESTORE_COMPRESSION_LZ4 1

/**
 * log level: damage, or an operation that failed.
 */
#define ESTORE_LOG_ERROR 1

/**
 * log level: something was repaired, cut or given up.
 */
#define ESTORE_LOG_WARNING 2

/**
 * log level: opening, closing, recovery, deleting.
 */
#define ESTORE_LOG_INFO 3

/**
 * The time range of one chunk in nanoseconds; 0 for an efile.
 */
#define ESTORE_STAT_FILE_SIZE_NS 0

/**
 * How far an event may lie behind the newest before it is late, in nanoseconds.
 */
#define ESTORE_STAT_GRACE_NS 1

/**
 * Chunks.
 */
#define ESTORE_STAT_CHUNKS 2

/**
 * Events that reading everything gives.
 */
#define ESTORE_STAT_EVENTS 3

/**
 * Events that were late when they came, in the chunks that are there.
 */
#define ESTORE_STAT_LATE_EVENTS 4

/**
 * Events that went through the recon file: the late ones, and stragglers within the grace.
 */
#define ESTORE_STAT_RECON_EVENTS 5

/**
 * The smallest time; UINT64_MAX in an empty store.
 */
#define ESTORE_STAT_OLDEST 6

/**
 * The largest time; 0 in an empty store.
 */
#define ESTORE_STAT_NEWEST 7

/**
 * Events before this time were deleted.
 */
#define ESTORE_STAT_HORIZON 8

/**
 * The last seq given.
 */
#define ESTORE_STAT_LAST_SEQ 9

/**
 * The seq up to which everything survives loss of power.
 */
#define ESTORE_STAT_DURABLE_SEQ 10

/**
 * Bytes in logs.
 */
#define ESTORE_STAT_LOG_BYTES 11

/**
 * Bytes in recon files.
 */
#define ESTORE_STAT_RECON_BYTES 12

/**
 * Bytes in index files.
 */
#define ESTORE_STAT_INDEX_BYTES 13

/**
 * Bytes in the journal.
 */
#define ESTORE_STAT_JOURNAL_BYTES 14

/**
 * Logs open for appending.
 */
#define ESTORE_STAT_OPEN_LOGS 15

/**
 * Events that this handle skipped, since they lay before the horizon.
 */
#define ESTORE_STAT_EXPIRED 16

/**
 * Events that append_absent of this handle found present.
 */
#define ESTORE_STAT_PRESENT 17

/**
 * Events recovered when the store was opened.
 */
#define ESTORE_STAT_RECOVERED_EVENTS 18

/**
 * Bytes of torn tails that were cut (and kept aside), when the store was opened or later; in a handle that only reads, that are not shown.
 */
#define ESTORE_STAT_CUT_BYTES 19

/**
 * Damaged regions in the logs, as far as they have been looked at.
 */
#define ESTORE_STAT_DAMAGED_REGIONS 20

/**
 * Bytes in the logs of chunks that wait for being compacted.
 */
#define ESTORE_STAT_BACKLOG_BYTES 21

/**
 * Bytes of all chunks on disk, as estore_options_set_max_bytes counts them.
 */
#define ESTORE_STAT_CHUNK_BYTES 22

/**
 * Chunks that retention removed through this handle.
 */
#define ESTORE_STAT_REMOVED_CHUNKS 23

/**
 * How many numbers this header knows; a library may know more.
 */
#define ESTORE_STAT_COUNT 24

/**
 * Kind of a finding: bytes that count are not what was written. Events are lost, or may be.
 */
#define ESTORE_FINDING_DAMAGE 1

/**
 * Kind of a finding: an index or recon file is not what it should be. Nothing is lost; the file is not believed and is made anew.
 */
#define ESTORE_FINDING_DERIVED 2

/**
 * Kind of a finding: bytes that don't count. A recovery cut them off and kept them for a person to look at.
 */
#define ESTORE_FINDING_ASIDE 3

/**
 * As a timeout: none.
 */
#define ESTORE_WAIT_FOREVER UINT64_MAX

/**
 * Bring one store what it lacks; the default.
 */
#define ESTORE_REPAIR_ONE_WAY 0

/**
 * Bring each of the two stores what it lacks.
 */
#define ESTORE_REPAIR_BOTH_WAYS 1

/**
 * Number of a repair, for the store that was repaired: events that the other store has and that were looked at, repeats too. Each is
 * one of the three below.
 */
#define ESTORE_REPAIRED_TO_COMPARED 0

/**
 * Of these, events that it lacked, and has now.
 */
#define ESTORE_REPAIRED_TO_COPIED 1

/**
 * Of these, events that it has already, and repeats.
 */
#define ESTORE_REPAIRED_TO_SKIPPED 2

/**
 * Of these, events that it has deleted, or would have.
 */
#define ESTORE_REPAIRED_TO_EXPIRED 3

/**
 * The same for the other store: what it was to be given, of the events of the one that was repaired.
 */
#define ESTORE_REPAIRED_FROM_COMPARED 4

/**
 * Events that the other store lacked, and has now; 0 unless ESTORE_REPAIR_BOTH_WAYS was asked for.
 */
#define ESTORE_REPAIRED_FROM_COPIED 5

/**
 * Events that the other store has already, or that it lacks and was not to be given.
 */
#define ESTORE_REPAIRED_FROM_SKIPPED 6

/**
 * Events that the other store has deleted, or would have.
 */
#define ESTORE_REPAIRED_FROM_EXPIRED 7

/**
 * Places in the other store that are damaged: what is in there was not copied.
 */
#define ESTORE_REPAIRED_GAPS 8

/**
 * Places in the store that was repaired that are damaged: what was in there it lacked, and was given if the other one has it.
 */
#define ESTORE_REPAIRED_OWN_GAPS 9

/**
 * 1 if on_progress stopped it before all was done, else 0.
 */
#define ESTORE_REPAIRED_STOPPED 10

/**
 * How many numbers of a repair this header knows; a library may know more.
 */
#define ESTORE_REPAIRED_COUNT 11

/**
 * Read oldest first; the default.
 */
#define ESTORE_READ_FORWARD 0

/**
 * Read newest first: exactly the forward order reversed.
 */
#define ESTORE_READ_REVERSE 1

/**
 * Read the newest limit events of the range, still oldest first. Needs a limit. Together with ESTORE_READ_REVERSE they come newest
 * first.
 */
#define ESTORE_READ_LAST 2

/**
 * Go on at damage instead of failing: damaged frames are left out, every event outside of them comes, and estore_iter_gaps tells what is
 * missing. Also past what the system fails to read.
 */
#define ESTORE_READ_SALVAGE 4

/**
 * The simple store: one log of any time range, in a folder of its own. Made by efile_open; any number of threads may use it at once.
 * Events, iterators, options and errors are those of estore.
 */
typedef struct efile efile;

/**
 * A store of events, made by estore_open. Any number of threads may use it at once.
 */
typedef struct estore estore;

/**
 * Bytes that the library made for the caller to carry elsewhere, such as a parcel of events or a message to a replica. They never change,
 * and depend on nothing they came from.
 */
typedef struct estore_bytes estore_bytes;

/**
 * A store that repairs itself by exchanging messages with another one, which may be anywhere. Made by estore_exchange_begin or
 * efile_exchange_begin. Used by one thread at a time.
 */
typedef struct estore_exchange estore_exchange;

/**
 * The events of a range as parcels: bytes that can be kept or carried anywhere, each parcel whole in itself. Made by estore_export_begin
 * or efile_export_begin. Used by one thread at a time; keeps what it needs of its store alive, so the two may be closed in any order.
 */
typedef struct estore_export estore_export;

/**
 * Events in order: those of a snapshot by time, made by estore_read_iter or efile_read_iter, or those that arrive by seq, made by
 * estore_tail_iter or efile_tail_iter. Used by one thread at a time; keeps what it needs of its store alive, so the two may be closed in
 * any order.
 */
typedef struct estore_iter estore_iter;

/**
 * How to make or open a store: made by estore_options_new, changed by its setters, given to estore_open, freed by
 * estore_options_free. One set of options may open any number of stores, and may be freed or changed while they are open.
 */
typedef struct estore_options estore_options;

/**
 * The answer of every function that can fail: 0 is fine, positive an outcome, negative an error. A later version may answer with
 * numbers that this header does not name: treat an unknown negative one as an error.
 */
typedef int32_t estore_status;

/**
 * An event. 32 bytes on a 64-bit machine, frozen. Two events with equal time, id and data are the same event.
 */
typedef struct {
    /**
     * When it happened: nanoseconds since the Unix epoch, by convention. Every value is legal.
     */
    uint64_t time;
    /**
     * The arrival number that the store gave it, never 0. Ignored when appending.
     */
    uint64_t seq;
    /**
     * The payload. Appending: memory of the caller, read during the call only. Reading: memory of the iterator, valid until the next
     * event or batch is asked of it, or its close. With len 0 it means nothing and must not be followed.
     */
    const uint8_t *data;
    /**
     * The length of the payload in bytes.
     */
    uint32_t len;
    /**
     * Tells apart two events with equal time and equal data.
     */
    uint32_t id;
} estore_event;

/**
 * What exactly went wrong. The caller owns it, starts it with ESTORE_ERROR_INIT and passes its address, or NULL if it only wants the
 * status. Filled when a function fails (a negative status); left as it is otherwise. 512 bytes, frozen.
 */
typedef struct {
    /**
     * What the function returned.
     */
    estore_status status;
    /**
     * The operating system's error number (errno), or 0.
     */
    int32_t os_errno;
    /**
     * The byte in the file that the message names, or ESTORE_NO_OFFSET.
     */
    uint64_t offset;
    /**
     * What happened, to which file: UTF-8, always NUL-terminated, cut at a whole character if it is too long.
     */
    char message[ESTORE_ERROR_MESSAGE_LEN];
} estore_error;

/**
 * Receives messages of one store. level is one of the ESTORE_LOG_ constants; a smaller number is more important. message is UTF-8, has len
 * bytes without its NUL, and is valid during the call only. Comes from the thread that calls the library or from one of the store's own,
 * perhaps from several at once. It may call functions on other stores; those on the same store (but for last_seq and durable_seq) answer
 * ESTORE_ERR_INVALID, and it must not wait for a thread that calls one. It must not throw or leave by longjmp.
 */
typedef void (*estore_log_fn)(void *userdata, int32_t level, const char *message, size_t len);

/**
 * Receives what verifying a store finds. kind is one of the ESTORE_FINDING_ constants. path is the file. offset and len are the bytes of
 * the file that it concerns; len is 0 where it is not a matter of bytes. what says in words what was found. path and what are valid
 * during the call only, with path_len and what_len bytes without the NUL at the end of each. Comes from the thread that calls the library.
 * Answers 0 to go on, anything else to end the walk. It may call functions on the same store except for closing it, and must not throw
 * or leave by longjmp.
 */
typedef int32_t (*estore_finding_fn)(void *userdata,
                                     int32_t kind,
                                     const char *path,
                                     size_t path_len,
                                     uint64_t offset,
                                     uint64_t len,
                                     const char *what,
                                     size_t what_len);

/**
 * Is told now and then how far a call has come: done of so many events. Comes from the thread that calls the library. Answers 0 to go on,
 * anything else to stop: what that leaves, each call says. It may call functions on other stores; those on the same store, or on either
 * store of a repair (but for last_seq and durable_seq), answer ESTORE_ERR_INVALID. It must not throw or leave by longjmp.
 */
typedef int32_t (*estore_progress_fn)(void *userdata, uint64_t done, uint64_t events);

/**
 * Receives what is missing because it is damaged, for a salvaging iterator or export, a repair and an exchange. path is the damaged file,
 * offset and len are its bytes that were left out. No event that is missing is older than first_time nor newer than last_time. what says
 * in words what is wrong with the bytes. path and what are valid during the call only, with path_len and what_len bytes without the NUL at
 * the end of each. Comes from the thread that calls the library. It must not use the same iterator, export, exchange or store, throw, or
 * leave by longjmp.
 */
typedef void (*estore_gap_fn)(void *userdata,
                              const char *path,
                              size_t path_len,
                              uint64_t offset,
                              uint64_t len,
                              uint64_t first_time,
                              uint64_t last_time,
                              const char *what,
                              size_t what_len);

/**
 * Done.
 */
#define ESTORE_OK 0

/**
 * The iterator has no more events.
 */
#define ESTORE_END 1

/**
 * Nothing new came in the time given.
 */
#define ESTORE_TIMEOUT 2

/**
 * Events were deleted (by estore_delete_before or retention) before the tail gave them; told once, then it goes on.
 */
#define ESTORE_GAP 3

/**
 * An argument that can never work: NULL where something is needed, a value out of range, a handle of another kind.
 */
#define ESTORE_ERR_INVALID -1

/**
 * The operating system refused something; os_errno says what.
 */
#define ESTORE_ERR_IO -2

/**
 * Bytes on disk are not what was written there, and the message names the file, offset the place; or a message or parcel is not what was
 * sent.
 */
#define ESTORE_ERR_CORRUPT -3

/**
 * There is nothing at this path.
 */
#define ESTORE_ERR_NOT_FOUND -4

/**
 * A store was to be created where one is already, or a snapshot onto what is no earlier one of the same store.
 */
#define ESTORE_ERR_EXISTS -5

/**
 * Another writer has the store open, in this process or in another.
 */
#define ESTORE_ERR_LOCKED -6

/**
 * The store was opened for reading only.
 */
#define ESTORE_ERR_READ_ONLY -7

/**
 * The disk or a quota is full. Nothing was changed; the call works again once there is space.
 */
#define ESTORE_ERR_NO_SPACE -8

/**
 * An earlier write or sync failed, so the writer refuses to go on. Reading works, unless the buffer of ESTORE_DURABILITY_BUFFERED has
 * events in it; open the store again to recover.
 */
#define ESTORE_ERR_POISONED -9

/**
 * A write failed after it had begun: whether the batch is stored is known only after opening the store again.
 */
#define ESTORE_ERR_OUTCOME_UNKNOWN -10

/**
 * An event is larger than the store takes; nothing of its batch was stored.
 */
#define ESTORE_ERR_TOO_LARGE -11

/**
 * The store was made with other settings (file size, grace) than were asked for.
 */
#define ESTORE_ERR_SETTINGS -12

/**
 * The store needs a newer version of this library.
 */
#define ESTORE_ERR_NEWER_FORMAT -13

/**
 * A store was to be created in a folder that holds files of somebody else.
 */
#define ESTORE_ERR_FOREIGN_FILES -14

/**
 * The path is a file, or something else that is no folder.
 */
#define ESTORE_ERR_NOT_A_FOLDER -15

/**
 * A batch would make more new chunks than one batch may; nothing of it was stored.
 */
#define ESTORE_ERR_TOO_MANY_CHUNKS -16

/**
 * The store was closed.
 */
#define ESTORE_ERR_CLOSED -17

/**
 * The handle belongs to the parent of this forked process, which may only close it.
 */
#define ESTORE_ERR_FORKED -18

/**
 * An internal error of the library. The handle refuses everything but closing from now on. Please report it.
 */
#define ESTORE_ERR_PANIC -19

/**
 * A file that an iterator still needs was removed by another process; or the whole store was, or another one is at its path.
 */
#define ESTORE_ERR_GONE -20

/**
 * The folder is not a store, or one of the other kind (estore, efile).
 */
#define ESTORE_ERR_NOT_A_STORE -21

/**
 * No permission, or a read-only file system.
 */
#define ESTORE_ERR_PERMISSION -22

/**
 * The end of a range lies before its start.
 */
#define ESTORE_ERR_RANGE -23

/**
 * This build of the library lacks a cargo feature that is needed, which the message names: for an option, or to read what is compressed.
 */
#define ESTORE_ERR_MISSING_FEATURE -24

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* Statuses and versions */

/**
 * A few words about a status, for messages. What happened exactly, and to which file, is in estore_error.
 *
 * Arguments: status: any number.
 * Returns: a NUL-terminated text, never NULL; "unknown status" for a number that this library does not know.
 * Ownership: the text is static; never free it.
 * Threads: any, at any time.
 * Statuses: none.
 * Since: 0.1.
 */
const char *estore_strerror(estore_status status);

/**
 * The version of the library that the program runs with.
 *
 * Arguments: none.
 * Returns: a NUL-terminated text such as "0.1.0", never NULL.
 * Ownership: the text is static; never free it.
 * Threads: any, at any time.
 * Statuses: none.
 * Since: 0.1.
 */
const char *estore_version(void);

/**
 * The version of the library that the program runs with, as one number.
 *
 * Arguments: none.
 * Returns: major * 1000000 + minor * 1000 + patch. A program compares it with the ESTORE_VERSION_NUMBER that it was built with.
 * Ownership: none.
 * Threads: any, at any time.
 * Statuses: none.
 * Since: 0.1.
 */
uint32_t estore_version_number(void);

/* Events */

/**
 * The wall clock.
 *
 * Arguments: none.
 * Returns: nanoseconds since the Unix epoch; 0 if the clock stands before 1970.
 * Ownership: none.
 * Threads: any, at any time.
 * Statuses: none.
 * Since: 0.1.
 */
uint64_t estore_now(void);

/**
 * A random id for an event. Ids need not be unique: they only have to tell apart events of equal time and equal data. Draws from a
 * generator of each thread, seeded by the operating system and seeded again after a fork.
 *
 * Arguments: none.
 * Returns: any 32-bit number.
 * Ownership: none.
 * Threads: any, at any time.
 * Statuses: none.
 * Since: 0.1.
 */
uint32_t estore_event_id(void);

/**
 * Makes an event that happened now, with a fresh id, seq 0 and the given data. Nothing is stored yet.
 *
 * Arguments: event: the struct to fill. data, len: the payload in bytes; with len 0, data is ignored.
 * Returns: ESTORE_OK and *event filled; on failure *event is as it was.
 * Ownership: the event borrows data, which must stay until the event was appended.
 * Threads: any.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (event is NULL, or data is NULL with a length); ESTORE_ERR_TOO_LARGE (len does not fit 32
 * bits); ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_event_init(estore_event *event,
                                const uint8_t *data,
                                size_t len);

/* Durations and options */

/**
 * Understands a duration as people type it: one or more whole numbers, each with a unit (ns us ms s m h d w), which add up, such as 1d,
 * 500ms or 1h30m.
 *
 * Arguments: text, len: the text in UTF-8 and its length in bytes; it need not end in NUL. ns: where the nanoseconds go.
 * Returns: ESTORE_OK and *ns set; on failure *ns is as it was.
 * Ownership: borrows text during the call.
 * Threads: any, at any time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (ns is NULL, or text is no duration: empty, without a unit, 0, longer than 584 years);
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_duration_parse(const char *text,
                                    size_t len,
                                    uint64_t *ns,
                                    estore_error *err);

/**
 * Makes options with their defaults: create the store if it is missing, survive the death of the process at once and loss of power
 * after one second, one-day files and one minute of grace for a new store.
 *
 * Arguments: none.
 * Returns: the options; NULL only if the library failed inside.
 * Ownership: the caller's, to be freed by estore_options_free.
 * Threads: any, at any time.
 * Statuses: none.
 * Since: 0.1.
 */
estore_options *estore_options_new(void);

/**
 * Sets what opening does when there is, or is no, store.
 *
 * Arguments: options. mode: one of the ESTORE_MODE_ constants; ESTORE_MODE_CREATE_IF_MISSING is the default.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_mode(estore_options *options, int32_t mode);

/**
 * Sets what an append survives once it has returned.
 *
 * Arguments: options. durability: one of the ESTORE_DURABILITY_ constants. interval_ns: for ESTORE_DURABILITY_INTERVAL the longest
 * time until a sync in nanoseconds, at least 1; ignored otherwise.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_durability(estore_options *options,
                                            int32_t durability,
                                            uint64_t interval_ns);

/**
 * Sets the time range of one chunk of a new store. The number of an event's chunk is its time divided by this. The store keeps it;
 * opening one that was made with another value fails with ESTORE_ERR_SETTINGS. An efile has no chunks and refuses the option.
 *
 * Arguments: options. file_size_ns: nanoseconds (or whatever unit the times have), at least 1; one day if never set.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_file_size_ns(estore_options *options,
                                              uint64_t file_size_ns);

/**
 * Sets the grace of a new store: an event is late when it lies more than this behind the newest of its chunk. It changes how late
 * events are stored, never what is read. The store keeps it; opening one that was made with another value fails with
 * ESTORE_ERR_SETTINGS.
 *
 * Arguments: options. grace_ns: nanoseconds (or whatever unit the times have), 0 is legal; one minute if never set.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_grace_ns(estore_options *options,
                                          uint64_t grace_ns);

/**
 * Sets the largest event that the handle appends. Reading has no limit.
 *
 * Arguments: options. max_event_len: bytes, at most 1073741824 (1 GiB); 16 MiB by default.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_max_event_len(estore_options *options, uint32_t max_event_len);

/**
 * Sets how many chunks one batch may create. It keeps one batch of nonsense times from making a million files.
 *
 * Arguments: options. max_new_chunks: at least 1; 1024 by default.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_max_new_chunks(estore_options *options, size_t max_new_chunks);

/**
 * Sets how many logs are kept open for appending; beyond that the one that was used longest ago is synced and closed.
 *
 * Arguments: options. max_open_logs: at least 1; 64 by default.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_max_open_logs(estore_options *options, size_t max_open_logs);

/**
 * Sets the buffer of ESTORE_DURABILITY_BUFFERED: it is handed to the system once it holds so much, or is so old.
 *
 * Arguments: options. buffer_len: bytes, at least 1; 1 MiB by default. buffer_ns: nanoseconds; one second by default.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_buffer(estore_options *options, size_t buffer_len, uint64_t buffer_ns);

/**
 * Sets whether the handle does without index files: it neither reads nor writes them, and scans the logs instead.
 *
 * Arguments: options. no_index: 0 (the default) or 1.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_no_index(estore_options *options, int32_t no_index);

/**
 * Sets whether the store may have threads of its own: for what is due by time (syncs of ESTORE_DURABILITY_INTERVAL, flushes of
 * ESTORE_DURABILITY_BUFFERED), for sorting late events and compaction, for retention, and in a handle that only reads for waking its
 * tails. Without them appends sort late events, estore_compact compacts, and estore_tick does the rest.
 *
 * Arguments: options. background: 0 or 1 (the default).
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_background(estore_options *options,
                                            int32_t background);

/**
 * Sets whether the store may compact by itself, on a thread of its own: chunks that get no more events in order, once an eighth of what
 * they hold would be sorted in or joined; and the newest one, once half of a large log came late. Without it, or where
 * estore_options_set_background is off, call estore_compact.
 *
 * Arguments: options. compaction: 0 or 1 (the default).
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_compaction(estore_options *options,
                                            int32_t compaction);

/**
 * Sets the greatest age of events: chunks all of whose events are older go by themselves, oldest first, for good and power-safe as by
 * estore_delete_before. It is applied in the background, once the store is open and whenever a new chunk begins; by estore_tick where
 * estore_options_set_background is off; and by estore_retain.
 *
 * Ages are counted from the smaller of two times: that of the clock, and the newest time that two events have reached. So one event of
 * the far future deletes nothing. Nor does a clock that jumps ahead while the store is open, by which events may be stamped: it counts once
 * it has stayed so for a day, or for the greatest age if that is less. Whether the clock was wrong before, nobody can tell. Never removed
 * are the newest chunk, that of the newest time that two events have reached, the newest that this handle has appended to, and any behind
 * one of these; a limit below the length of a chunk keeps that much.
 *
 * Arguments: options. max_age_ns: in nanoseconds, as event times must be for this; 0 (the default) for no limit.
 * Returns: ESTORE_OK; on failure the options are as they were. An efile, which has one chunk, refuses to open with a limit; a store that
 * is opened for reading only has no use for one.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_max_age_ns(estore_options *options,
                                            uint64_t max_age_ns);

/**
 * Sets the greatest size of a store on disk: as long as all chunks take more, the oldest goes. When, how, and which never go: see
 * estore_options_set_max_age_ns. Besides, it is applied when a log has grown by 4 MiB, or a 128th of the limit if that is more, and the
 * chunk of the present by the clock stays too.
 *
 * What counts is ESTORE_STAT_CHUNK_BYTES: the bytes of all logs, and those of their recon and index files as far as they can be told
 * without looking at them. Not counted: room set aside ahead of logs that are being written (8 MiB each at most), the journal, a log that
 * compaction is writing, and files that iterators of this process still have open.
 *
 * Arguments: options. max_bytes: in bytes; 0 (the default) for no limit.
 * Returns: ESTORE_OK; on failure the options are as they were. An efile refuses to open with a limit.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_max_bytes(estore_options *options,
                                           uint64_t max_bytes);

/**
 * Sets how compaction stores events. If it is never set, a chunk's events stay as they are, those of a compressed chunk compressed. Once
 * it is set, chunks that get no more events in order are also compacted for being compressed, by themselves if they are not very small;
 * and estore_compact compacts chunks anew that are stored in another way. Reading needs no option.
 *
 * Arguments: options. compression: one of the ESTORE_COMPRESSION_ constants.
 * Returns: ESTORE_OK; on failure the options are as they were. err says which cargo feature a build of the library lacks.
 * Ownership: borrows options.
 * Threads: any, one at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_compression(estore_options *options,
                                             int32_t compression,
                                             estore_error *err);

/**
 * Sets who receives the messages of the store. Without it they are dropped; the library never prints.
 *
 * Arguments: options. log: the function, or NULL for none (the default). userdata: given to it as it is.
 * Returns: ESTORE_OK; on failure the options are as they were.
 * Ownership: userdata stays the caller's; it and the function must live until every store opened with these options is closed,
 * and every iterator, exchange and export made from it.
 * Threads: any, one at a time; see estore_log_fn for the threads that log is called from.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_set_log(estore_options *options,
                                     estore_log_fn log,
                                     void *userdata);

/**
 * Frees options and sets the variable to NULL. Stores that were opened with them go on.
 *
 * Arguments: options: the address of the variable; a NULL in it is fine.
 * Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
 * stays.
 * Ownership: ends the caller's.
 * Threads: any, while no other thread uses the options.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_options_free(estore_options **options);

/* Stores */

/**
 * Opens a store, or creates it. After a crash this recovers every event that was promised; what it cut goes to the log callback.
 *
 * Arguments: path, path_len: the folder, any bytes but NUL, and how many; it need not end in NUL. options: how, or NULL for the
 * defaults. store: where the handle goes.
 * Returns: ESTORE_OK and *store set; on failure *store is as it was.
 * Ownership: the handle is the caller's, to be closed by estore_close. Borrows path and options during the call.
 * Threads: any, at any time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NOT_FOUND; ESTORE_ERR_EXISTS; ESTORE_ERR_LOCKED; ESTORE_ERR_NOT_A_STORE;
 * ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_FOREIGN_FILES; ESTORE_ERR_SETTINGS; ESTORE_ERR_NEWER_FORMAT; ESTORE_ERR_CORRUPT;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE; ESTORE_ERR_IO; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_open(const char *path,
                          size_t path_len,
                          const estore_options *options,
                          estore **store,
                          estore_error *err);

/**
 * Appends a batch, in any order of times. Readers see all of it or nothing. Repeats are stored too.
 *
 * Arguments: store. events, n: the batch; seq is ignored, and n 0 ignores the pointer. last_seq: where the last seq of the store as of
 * this append goes, or NULL.
 * Returns: ESTORE_OK, stored, and *last_seq set; on failure *last_seq is as it was and nothing is stored, except that
 * ESTORE_ERR_OUTCOME_UNKNOWN leaves that open.
 * Ownership: borrows the events and their data during the call.
 * Threads: any, also at the same time; each batch stays together.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_TOO_LARGE; ESTORE_ERR_TOO_MANY_CHUNKS; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE;
 * ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT; ESTORE_ERR_FORKED;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_append(estore *store,
                            const estore_event *events,
                            size_t n,
                            uint64_t *last_seq,
                            estore_error *err);

/**
 * Appends those events of a batch that are not there yet, in one step: none whose time, id and data are those of a stored event or of an
 * earlier one in the batch. Meant for sources that send again what may have been stored.
 *
 * Arguments: store. events, n: the batch; seq is ignored, and n 0 ignores the pointer. last_seq: where the last seq of the store as of
 * this append goes. stored, present, expired: where the numbers of events go that were stored, were there already, or lay before what
 * was deleted. Each of the four may be NULL.
 * Returns: ESTORE_OK and the outputs set, stored + present + expired = n; on failure they are as they were and nothing is stored, except
 * that ESTORE_ERR_OUTCOME_UNKNOWN leaves that open.
 * Ownership: borrows the events and their data during the call.
 * Threads: any, also at the same time; each batch stays together.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_TOO_LARGE; ESTORE_ERR_TOO_MANY_CHUNKS; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE;
 * ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE;
 * ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_append_absent(estore *store,
                                   const estore_event *events,
                                   size_t n,
                                   uint64_t *last_seq,
                                   uint64_t *stored,
                                   uint64_t *present,
                                   uint64_t *expired,
                                   estore_error *err);

/**
 * Makes everything appended so far survive loss of power. Blocks until the disk has confirmed.
 *
 * Arguments: store. durable_seq: where the seq goes up to which everything is safe now, or NULL.
 * Returns: ESTORE_OK and *durable_seq set; on failure it is as it was. After ESTORE_ERR_IO or ESTORE_ERR_OUTCOME_UNKNOWN the store refuses
 * appends until it is opened again, since what the disk holds is unknown.
 * Ownership: borrows store.
 * Threads: any, also beside appends and other syncs.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN;
 * ESTORE_ERR_IO; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_sync(estore *store,
                          uint64_t *durable_seq,
                          estore_error *err);

/**
 * Does what is due by time (a sync, a flush of the buffer, retention; in a handle that only reads, a look for what its tails wait for).
 * Only needed if the store was opened without a thread of its own; see estore_options_set_background.
 *
 * Arguments: store.
 * Returns: ESTORE_OK, also if nothing was due.
 * Ownership: borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
 * ESTORE_ERR_CORRUPT; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_tick(estore *store,
                          estore_error *err);

/**
 * Tells the last seq given. Costs no input or output where the store is open for writing; a handle that only reads looks for news first.
 *
 * Arguments: store. seq: where the number goes; 0 if nothing was ever appended.
 * Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
 * Ownership: borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_last_seq(const estore *store,
                              uint64_t *seq,
                              estore_error *err);

/**
 * Tells up to which seq everything survives loss of power. Costs no input or output where the store is open for writing; a handle that
 * only reads looks for news first, and may know of less than is safe.
 *
 * Arguments: store. seq: where the number goes.
 * Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
 * Ownership: borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_durable_seq(const estore *store,
                                 uint64_t *seq,
                                 estore_error *err);

/**
 * Starts reading a range in exact time order, equal times in the order in which they were appended. The iterator shows one moment: every
 * append that had returned, and nothing that comes later.
 *
 * Arguments: store. start, end: times, both inclusive; UINT64_MAX as end means no end. flags: ESTORE_READ_FORWARD, ESTORE_READ_REVERSE,
 * ESTORE_READ_LAST, ESTORE_READ_SALVAGE, or several together. limit: at most so many events, counted from where reading starts; 0 for no
 * limit. iter: where the iterator goes.
 * Returns: ESTORE_OK and *iter set; on failure *iter is as it was.
 * Ownership: the iterator is the caller's, to be closed by estore_iter_close. It keeps what it needs: the store may be closed before it.
 * Threads: any, also at the same time; the iterator itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE;
 * ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to
 * be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_read_iter(const estore *store,
                               uint64_t start,
                               uint64_t end,
                               uint32_t flags,
                               uint64_t limit,
                               estore_iter **iter,
                               estore_error *err);

/**
 * Follows the store: gives every event with a larger seq than after_seq, in order of arrival (late events as they arrive), and then those
 * that come, in the writing process or in any other. It survives chunks that begin, late data, compaction and the writer's restarts. Only
 * the seq of the last event that was handled needs to be kept to go on another time. To look back and then follow: estore_read_iter, then
 * estore_tail_iter from its estore_iter_snapshot_seq. A writer without tails pays nothing for them.
 *
 * Arguments: store. after_seq: the seq of the last event that was handled; 0 begins with the first that is there, estore_last_seq with the
 * next to come. iter: where the iterator goes.
 * Returns: ESTORE_OK and *iter set; on failure *iter is as it was.
 * Ownership: the iterator is the caller's, to be closed by estore_iter_close. Once the store is closed it gives what is left, and then
 * ESTORE_ERR_CLOSED.
 * Threads: any, also at the same time; the iterator itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for a seq that no event of this store can have had yet, that is one beyond the last event
 * unless events with such seqs may have been lost with power); ESTORE_ERR_CLOSED; ESTORE_ERR_IO;
 * ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_CORRUPT;
 * ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_tail_iter(const estore *store,
                               uint64_t after_seq,
                               estore_iter **iter,
                               estore_error *err);

/**
 * Counts the events of a range, as reading it now would give them.
 *
 * Arguments: store. start, end: times, both inclusive; UINT64_MAX as end means no end. count: where the number goes.
 * Returns: ESTORE_OK and *count set; on failure *count is as it was.
 * Ownership: borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE;
 * ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to
 * be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_count(const estore *store,
                           uint64_t start,
                           uint64_t end,
                           uint64_t *count,
                           estore_error *err);

/**
 * Tells the numbers of the store.
 *
 * Arguments: store. values, capacity: an array of the caller and its length, ESTORE_STAT_COUNT for all that this header knows; capacity
 * 0 ignores the pointer. n: where it goes how many numbers this library knows.
 * Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_STAT_ constants, and *n set; elements from *n on, and all on
 * failure, are as they were.
 * Ownership: the array is the caller's; borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE,
 * ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_stats(const estore *store,
                           uint64_t *values,
                           size_t capacity,
                           size_t *n,
                           estore_error *err);

/**
 * Looks at every byte of the store: all checksums, the order of events, and whether the files agree with each other. May run while others
 * append and read, in this process and beside the writer in another: an append in progress is not taken for damage. Changes nothing.
 *
 * Arguments: store. on_finding: called for each finding, or NULL to have them counted only. userdata: given to it as it is. events: where
 * the number of events goes that were found whole, or NULL. damaged: where the number of findings goes that are ESTORE_FINDING_DAMAGE, or
 * NULL.
 * Returns: ESTORE_OK and the outputs set, whatever was found and also if on_finding ended the walk; on failure they are as they were.
 * Ownership: borrows store; see estore_finding_fn for what it receives.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_verify(const estore *store,
                            estore_finding_fn on_finding,
                            void *userdata,
                            uint64_t *events,
                            uint64_t *damaged,
                            estore_error *err);

/**
 * Merges the logs of each chunk of a time range into one: sorted, in full frames, with nothing late any more. Reading it takes less then,
 * and so does keeping it. Chunks that are so already are left alone. Appends and iterators go on meanwhile. A store does this by itself
 * where it is worth it, unless estore_options_set_compaction is off.
 *
 * Arguments: store. start, end: times, both included; chunks that have one of them are compacted whole. on_progress: is told how far it
 * is, or NULL. userdata: given to it as it is. bytes_before, bytes_after: where the bytes of the logs go that were compacted, as they were
 * and as they are; each may be NULL.
 * Returns: ESTORE_OK and the outputs set, also if on_progress stopped it: chunks that were done stay so, and the one in work is as it was;
 * on failure they are as they were. A damaged chunk stays as it is: the others are compacted before that is reported.
 * Ownership: borrows store; see estore_progress_fn.
 * Threads: any, also beside all other calls; one at a time compacts, the others wait.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE (nothing is lost); ESTORE_ERR_IO;
 * ESTORE_ERR_CORRUPT; ESTORE_ERR_READ_ONLY; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_compact(const estore *store,
                             uint64_t start,
                             uint64_t end,
                             estore_progress_fn on_progress,
                             void *userdata,
                             uint64_t *bytes_before,
                             uint64_t *bytes_after,
                             estore_error *err);

/**
 * Makes a copy of the store as it is at one moment in another folder, while appends, compaction, deletes and iterators go on. When it
 * returns the copy is durable, and a store like any other: it can be opened for reading, and for writing, from when on it is one of its
 * own. Also through a handle that only reads, beside a writer in another process. Logs that compaction has made, which never change, are
 * not copied where the file system has hard links: one file then has a name in both folders, and whatever becomes of one of them, the
 * other keeps it. All that is copied is looked at; damage is copied too, and counted.
 *
 * Arguments: store. dir, dir_len: the folder. It is made if it is not there, in a folder that is; it may be empty, or hold an earlier
 * snapshot of the same store that nobody has opened for writing: then only what is new is copied, and until the new one is whole the
 * earlier one is there. on_progress: is told how far it is, or NULL. userdata: given to it as it is. seq: where the last seq goes that
 * the snapshot shows, to follow from. bytes_copied, bytes_linked: where the bytes of the logs go that were copied, and that have got a
 * second name. damaged: where the number of damaged places goes. stopped: where 1 goes if on_progress stopped it, which leaves the folder
 * as it was, else 0. Each output may be NULL.
 * Returns: ESTORE_OK and the outputs set, also if on_progress stopped it; on failure they, and the folder, are as they were.
 * Ownership: borrows store and dir; see estore_progress_fn.
 * Threads: any, also beside all other calls; one at a time into one folder, others get ESTORE_ERR_LOCKED.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for the folder of the store itself, and those in it); ESTORE_ERR_EXISTS (another store, or
 * a snapshot that is or was open for writing, or a later one); ESTORE_ERR_FOREIGN_FILES; ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_LOCKED
 * (another one is being made there); ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT (an
 * earlier snapshot is damaged); ESTORE_ERR_GONE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_snapshot(const estore *store,
                              const char *dir,
                              size_t dir_len,
                              estore_progress_fn on_progress,
                              void *userdata,
                              uint64_t *seq,
                              uint64_t *bytes_copied,
                              uint64_t *bytes_linked,
                              uint64_t *damaged,
                              int32_t *stopped,
                              estore_error *err);

/**
 * Tells what a time range holds, in a few numbers that are equal for equal sets of events, however they were appended, how often, and
 * whatever has become of their files: for each bucket of time how many events there are (repeats count once) and an order-free 128-bit sum
 * of their hashes. Two stores that should hold the same are compared by it. Takes about two scans of the range.
 *
 * Arguments: store. start, end: times, both inclusive. width_ns: how long each bucket is; the last one may be shorter. Range and width
 * are to be the same for both. buckets, capacity_buckets: an array of the caller with room for three numbers for each bucket. n_buckets:
 * where the number of buckets goes, which is (end - start) / width_ns + 1, or NULL. horizon: where the time goes before which the store
 * has deleted everything, or NULL.
 * Returns: ESTORE_OK, of each bucket in turn the count and the low and the high 64 bits of the sum in buckets, and the outputs set; on
 * failure all is as it was.
 * Ownership: the array is the caller's; borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for more than 1048576 buckets, and too little room); ESTORE_ERR_RANGE;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE,
 * ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_digest(const estore *store,
                            uint64_t start,
                            uint64_t end,
                            uint64_t width_ns,
                            uint64_t *buckets,
                            size_t capacity_buckets,
                            size_t *n_buckets,
                            uint64_t *horizon,
                            estore_error *err);

/**
 * Brings a store what it lacks of the events of another one that is open here too, in a time range; or each of the two what it lacks.
 * Nothing is doubled, and what one of them has deleted is not brought back. Their settings may differ. Both are as they are when it
 * begins, and are read once; appends may go on meanwhile. What is in damaged frames is not there, in either of them: it is not copied from
 * the other one, and copied anew to the one that is repaired. It can be stopped, or fail, at any point, and be done again: what was copied
 * stays, and a second time nothing is.
 *
 * Arguments: to, from: the store that is repaired, and the other one. start, end: times, both inclusive; UINT64_MAX as end means no end.
 * flags: ESTORE_REPAIR_ONE_WAY or ESTORE_REPAIR_BOTH_WAYS. on_gap: called at the end for each damaged place, first those of the other one,
 * then those of the one that is repaired, or NULL. on_progress: is told how far it is, or NULL. userdata: given to both as it is. values,
 * capacity: an array of the caller and its length, ESTORE_REPAIRED_COUNT for all that this header knows; capacity 0 ignores the pointer.
 * n: where it goes how many numbers this library knows, or NULL.
 * Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_REPAIRED_ constants, and *n set, also if on_progress stopped
 * it; elements from *n on, and all on failure, are as they were.
 * Ownership: borrows both, and the array; see estore_gap_fn and estore_progress_fn.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_CLOSED; ESTORE_ERR_CORRUPT;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of the one that is given events);
 * ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
 * ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_repair(estore *to,
                            estore *from,
                            uint64_t start,
                            uint64_t end,
                            uint32_t flags,
                            estore_gap_fn on_gap,
                            estore_progress_fn on_progress,
                            void *userdata,
                            uint64_t *values,
                            size_t capacity,
                            size_t *n,
                            estore_error *err);

/**
 * Begins to bring a store what it lacks of the events of another one in a time range, which may be anywhere: the two exchange messages,
 * and it is the caller who carries them. estore_exchange_request gives a message; estore_answer of the other one answers it; the answer
 * goes to estore_exchange_reply; until there is no request any more. One event that lacks among 100 million is found with a few messages
 * of some kilobytes.
 *
 * Arguments: store. start, end: times, both inclusive; UINT64_MAX as end means no end. flags: ESTORE_REPAIR_ONE_WAY or
 * ESTORE_REPAIR_BOTH_WAYS. exchange: where the exchange goes.
 * Returns: ESTORE_OK and *exchange set; on failure it is as it was.
 * Ownership: the exchange is the caller's, to be ended by estore_exchange_close. Once the store is closed it fails with
 * ESTORE_ERR_CLOSED.
 * Threads: any, also at the same time; the exchange itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_IO;
 * ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of
 * a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_exchange_begin(estore *store,
                                    uint64_t start,
                                    uint64_t end,
                                    uint32_t flags,
                                    estore_exchange **exchange,
                                    estore_error *err);

/**
 * Answers a message of an exchange elsewhere. Nothing is remembered from one message to the next, so a peer may vanish at any point.
 *
 * Arguments: store: may be open for reading only, unless the other one gives it events. message, len: the message, as it came. reply:
 * where the answer goes.
 * Returns: ESTORE_OK and *reply set; on failure it is as it was.
 * Ownership: the reply is the caller's, to be freed by estore_bytes_free. Borrows message during the call.
 * Threads: any, also at the same time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no message of an exchange, or one that was cut or changed: nothing was
 * stored); ESTORE_ERR_READ_ONLY; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of this
 * one); ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_answer(estore *store,
                            const uint8_t *message,
                            size_t len,
                            estore_bytes **reply,
                            estore_error *err);

/**
 * Starts giving the events of a range as parcels, bytes that can be kept or carried anywhere, for estore_import elsewhere. The export
 * shows one moment, as an iterator does.
 *
 * Arguments: store. start, end, flags, limit: as for estore_read_iter. parcels: where the export goes.
 * Returns: ESTORE_OK and *parcels set; on failure it is as it was.
 * Ownership: the export is the caller's, to be closed by estore_export_close. It keeps what it needs: the store may be closed before it.
 * Threads: any, also at the same time; the export itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
 * ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_export_begin(const estore *store,
                                  uint64_t start,
                                  uint64_t end,
                                  uint32_t flags,
                                  uint64_t limit,
                                  estore_export **parcels,
                                  estore_error *err);

/**
 * Appends the events of a parcel that are not there yet, as one batch. One that was cut or changed on its way is refused as a whole.
 *
 * Arguments: store. parcel, len: the parcel, as estore_export_next gave it elsewhere. last_seq, stored, present, expired: as for
 * estore_append_absent; each may be NULL.
 * Returns: ESTORE_OK and the outputs set; on failure they are as they were and nothing is stored, except that ESTORE_ERR_OUTCOME_UNKNOWN
 * leaves that open.
 * Ownership: borrows parcel during the call.
 * Threads: any, also at the same time; each parcel stays together.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no parcel, or one that was cut or changed); ESTORE_ERR_TOO_LARGE;
 * ESTORE_ERR_TOO_MANY_CHUNKS; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_import(estore *store,
                            const uint8_t *parcel,
                            size_t len,
                            uint64_t *last_seq,
                            uint64_t *stored,
                            uint64_t *present,
                            uint64_t *expired,
                            estore_error *err);

/**
 * Cuts a range at chunk borders: pieces that can be read or counted by different threads, processes or machines and together give
 * exactly the range. Tells how many there are in any case, so a first call with capacity_pieces 0 can ask.
 *
 * Arguments: store. start, end: times, both inclusive; UINT64_MAX as end means no end. bounds, capacity_pieces: an array of the caller
 * with room for two numbers for each piece; capacity_pieces 0 ignores the pointer. pieces: where the number of pieces in the range goes.
 * Returns: ESTORE_OK, the first pieces as pairs of first and last time (both inclusive) in bounds, in order, and *pieces set (UINT64_MAX
 * if there are more than that); on failure all is as it was.
 * Ownership: the array is the caller's; borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_splits(const estore *store,
                            uint64_t start,
                            uint64_t end,
                            uint64_t *bounds,
                            size_t capacity_pieces,
                            uint64_t *pieces,
                            estore_error *err);

/**
 * Deletes all events before a time, for good: reads and counts start there at once, whole chunks below it go, and later appends below it
 * are skipped. Iterators that are open in this process go on as they were.
 *
 * Arguments: store. time: the first time that stays; 0 deletes nothing, and a time before that of an earlier call changes nothing.
 * Returns: ESTORE_OK if deleted, and power-safe.
 * Ownership: borrows store.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_IO;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_delete_before(estore *store,
                                   uint64_t time,
                                   estore_error *err);

/**
 * Applies retention now: removes whole chunks, oldest first, that are older than a greatest age, or with which all take more than a
 * greatest size; see estore_options_set_max_age_ns for what is never removed. Or only tells what it would remove. Works on a full disk.
 *
 * Arguments: store. max_age_ns, max_bytes: limits for this call; 0 for that of the options the store was opened with. dry_run: 1 to remove
 * nothing, else 0. horizon: where the time goes before which everything is gone then. chunks, events, bytes: where it goes how many chunks
 * were removed, events in them, and bytes on disk as ESTORE_STAT_CHUNK_BYTES counts. Each of the four may be NULL.
 * Returns: ESTORE_OK and the outputs set, what was removed being gone for good and power-safe; on failure they are as they were. With a
 * dry_run, what the outputs would be without it. Where nothing is to be removed the horizon stays as it was, and the others are 0.
 * Ownership: borrows store. Iterators that are open in this process go on as they were.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_CLOSED;
 * ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_retain(estore *store,
                            uint64_t max_age_ns,
                            uint64_t max_bytes,
                            int32_t dry_run,
                            uint64_t *horizon,
                            uint64_t *chunks,
                            uint64_t *events,
                            uint64_t *bytes,
                            estore_error *err);

/**
 * Closes a store: flushes, syncs, gives up the lock, and sets the variable to NULL, also if it reports a failure. Iterators that are
 * open go on.
 *
 * Arguments: store: the address of the variable; a NULL in it is fine, so closing twice is too.
 * Returns: ESTORE_OK: all appended events are on disk. If the variable held a handle of another kind, or one that a call is using (as in a
 * callback of that call): ESTORE_ERR_INVALID, and it stays. Any other failure says that some may not be; the handle is gone all the same.
 * Ownership: ends the caller's.
 * Threads: any, while no other thread uses the handle. Allowed in a forked child, where it touches no file and no lock.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_close(estore **store,
                           estore_error *err);

/**
 * Removes a store from disk: its own files, and the folder if nothing else is in it.
 *
 * Arguments: path, path_len: the folder, any bytes but NUL, and how many. options: none of them has a meaning here; NULL will do.
 * Returns: ESTORE_OK if it is gone.
 * Ownership: borrows path and options during the call.
 * Threads: any, at any time. Refused while a writer has the store open.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NOT_FOUND; ESTORE_ERR_NOT_A_STORE; ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_LOCKED;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_IO; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_destroy(const char *path,
                             size_t path_len,
                             const estore_options *options,
                             estore_error *err);

/**
 * The name of a number that estore_stats gives, to print whatever a library knows without knowing it oneself.
 *
 * Arguments: index: an ESTORE_STAT_ constant, or any index below the n of estore_stats.
 * Returns: a NUL-terminated text such as "late_events"; NULL if this library does not know the index.
 * Ownership: the text is static; never free it.
 * Threads: any, at any time.
 * Statuses: none.
 * Since: 0.1.
 */
const char *estore_stat_name(size_t index);

/* Iterators, of stores and efiles */

/**
 * Gives the next event. Next to estore_iter_next_batch it costs one call for each event, but no more than that; both may be mixed
 * freely, and no event is lost or repeated.
 *
 * Arguments: iter. event: where the event goes.
 * Returns: ESTORE_OK and *event filled; ESTORE_END at the end, again and again; of a tail, which has no end, ESTORE_TIMEOUT if there is
 * nothing for now, and ESTORE_GAP, once, if events were deleted before it gave them. *event is as it was unless ESTORE_OK is returned.
 * After a failure each further call answers the same; to go on past damage, begin anew with ESTORE_READ_SALVAGE.
 * Ownership: event->data is the iterator's, valid until the next event is asked of this iterator in any way, or its close (debug builds
 * of the library overwrite it then).
 * Threads: any, one at a time on one iterator.
 * Statuses: ESTORE_OK; ESTORE_END; ESTORE_TIMEOUT; ESTORE_GAP; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT (after every whole
 * event before the damage); ESTORE_ERR_CLOSED (of a tail, once it has given all of a store that was closed); ESTORE_ERR_GONE;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_next(estore_iter *iter,
                               estore_event *event,
                               estore_error *err);

/**
 * Gives the next events, as many as fit and are at hand. A short batch means nothing; only ESTORE_END means the end.
 *
 * Arguments: iter. events: an array of the caller. capacity: its length, at least 1; 256 is a good one. n: where the number of events
 * goes.
 * Returns: ESTORE_OK, *n events (at least 1) in the array; ESTORE_END at the end, again and again; of a tail ESTORE_TIMEOUT and ESTORE_GAP
 * as estore_iter_next. *n is as it was unless ESTORE_OK is returned.
 * Ownership: the data of the events is the iterator's, valid until the next event is asked of this iterator in any way, or its close
 * (debug builds of the library overwrite it then). The array is the caller's.
 * Threads: any, one at a time on one iterator.
 * Statuses: ESTORE_OK; ESTORE_END; ESTORE_TIMEOUT; ESTORE_GAP; ESTORE_ERR_INVALID (also capacity 0); ESTORE_ERR_IO; ESTORE_ERR_CORRUPT
 * (after every whole event before the damage); ESTORE_ERR_CLOSED (of a tail, once it has given all of a store that was closed);
 * ESTORE_ERR_GONE; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_next_batch(estore_iter *iter,
                                     estore_event *events,
                                     size_t capacity,
                                     size_t *n,
                                     estore_error *err);

/**
 * Copies the next events into columns, as many as fit and are at hand: one array for each field and one buffer for all data, the form that
 * data frames and columnar formats take. A short batch means nothing; only ESTORE_END means the end. May be mixed with the calls above.
 *
 * Arguments: iter. times, seqs, ids: arrays of the caller with room for capacity events; each may be NULL if it isn't wanted. offsets: an
 * array of capacity + 1 elements for where the data of each event starts in data, the first at 0, and behind them where the last one ends.
 * NULL means that no data is wanted, and ignores data. capacity: at least 1; 4096 is a good one. data, data_capacity: memory of the caller
 * for the data and its length in bytes; data_capacity 0 ignores the pointer. n: where the number of events goes. data_len: where the
 * number of bytes of data goes, or NULL.
 * Returns: ESTORE_OK, *n events in the columns and *data_len set. *n is 0 only if not even the data of the next event fits: no event is
 * taken, and *data_len is how many bytes it has. ESTORE_END at the end, again and again; of a tail ESTORE_TIMEOUT and ESTORE_GAP as
 * estore_iter_next. *n and *data_len are as they were unless ESTORE_OK is returned.
 * Ownership: the columns and the data are the caller's and stay. Events given before as views end here.
 * Threads: any, one at a time on one iterator.
 * Statuses: ESTORE_OK; ESTORE_END; ESTORE_TIMEOUT; ESTORE_GAP; ESTORE_ERR_INVALID (also capacity 0); ESTORE_ERR_IO; ESTORE_ERR_CORRUPT
 * (after every whole event before the damage); ESTORE_ERR_CLOSED (of a tail, once it has given all of a store that was closed);
 * ESTORE_ERR_GONE; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_next_columns(estore_iter *iter,
                                       uint64_t *times,
                                       uint64_t *seqs,
                                       uint32_t *ids,
                                       uint64_t *offsets,
                                       size_t capacity,
                                       uint8_t *data,
                                       size_t data_capacity,
                                       size_t *n,
                                       size_t *data_len,
                                       estore_error *err);

/**
 * Waits until a tail has something to give: events, or the news that some were deleted. Returns at once if it has, and of an iterator over
 * a range.
 *
 * Arguments: iter. timeout_ms: at most so many milliseconds; 0 does not wait, ESTORE_WAIT_FOREVER sets no limit.
 * Returns: ESTORE_OK if there is something, to be taken by the calls above; ESTORE_TIMEOUT if nothing came in this time.
 * Ownership: borrows iter. Events given before end here.
 * Threads: any, one at a time on one iterator. Another thread ends the waiting by closing the store.
 * Statuses: ESTORE_OK; ESTORE_TIMEOUT; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_CLOSED; ESTORE_ERR_GONE;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_wait(estore_iter *iter,
                               uint64_t timeout_ms,
                               estore_error *err);

/**
 * Gives a descriptor for event loops (poll, epoll, select): it is readable from when a tail may have something to give until a call has
 * answered ESTORE_TIMEOUT. So: poll; take events until ESTORE_TIMEOUT; poll again. In a store opened for reading only with
 * estore_options_set_background off, estore_tick finds out what there is.
 *
 * Arguments: iter: of a tail. fd: where the descriptor goes.
 * Returns: ESTORE_OK and *fd set, the same each time; on failure *fd is as it was.
 * Ownership: the descriptor is the iterator's and closed with it: only to be polled, never read from or closed.
 * Threads: any, one at a time on one iterator. The descriptor itself may be polled by any thread, also during other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also of an iterator that is no tail); ESTORE_ERR_IO (no descriptors left); ESTORE_ERR_FORKED;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_fd(estore_iter *iter,
                             int *fd,
                             estore_error *err);

/**
 * Tells up to which seq the iterator shows the store: every event of its range with at most this seq, and none with a larger one. Of a
 * tail: up to which seq it has given every event, so where another tail goes on.
 *
 * Arguments: iter. seq: where the number goes.
 * Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
 * Ownership: borrows iter; events given before stay valid.
 * Threads: any, one at a time on one iterator.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_snapshot_seq(const estore_iter *iter,
                                       uint64_t *seq,
                                       estore_error *err);

/**
 * Tells what an iterator made with ESTORE_READ_SALVAGE has left out so far; all of it is known once it has come to its end. Other
 * iterators leave nothing out.
 *
 * Arguments: iter. on_gap: called for each gap, or NULL to have them counted only. userdata: given to it as it is. n: where the number of
 * gaps goes, or NULL.
 * Returns: ESTORE_OK and *n set; on failure *n is as it was.
 * Ownership: borrows iter; events given before stay valid. See estore_gap_fn for what it receives.
 * Threads: any, one at a time on one iterator.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_gaps(const estore_iter *iter,
                               estore_gap_fn on_gap,
                               void *userdata,
                               size_t *n,
                               estore_error *err);

/**
 * Closes an iterator and sets the variable to NULL. Events that it gave end here.
 *
 * Arguments: iter: the address of the variable; a NULL in it is fine.
 * Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
 * stays.
 * Ownership: ends the caller's. The store may be closed before or after.
 * Threads: any, while no other thread uses the iterator. Allowed in a forked child, where it touches no file and no lock.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_iter_close(estore_iter **iter,
                                estore_error *err);

/* Efiles */

/**
 * Opens an efile, or creates it: the simple store, one log of any time range with its recon file and its index, in a folder of its own.
 * After a crash this recovers every event that was promised; what it cut goes to the log callback.
 *
 * Arguments: path, path_len: the folder, any bytes but NUL, and how many; it need not end in NUL. options: how, or NULL for the
 * defaults. file: where the handle goes.
 * Returns: ESTORE_OK and *file set; on failure *file is as it was.
 * Ownership: the handle is the caller's, to be closed by efile_close. Borrows path and options during the call.
 * Threads: any, at any time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NOT_FOUND; ESTORE_ERR_EXISTS; ESTORE_ERR_LOCKED; ESTORE_ERR_NOT_A_STORE;
 * ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_FOREIGN_FILES; ESTORE_ERR_SETTINGS; ESTORE_ERR_NEWER_FORMAT; ESTORE_ERR_CORRUPT;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE; ESTORE_ERR_IO; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_open(const char *path,
                         size_t path_len,
                         const estore_options *options,
                         efile **file,
                         estore_error *err);

/**
 * Appends a batch, in any order of times. Readers see all of it or nothing. Repeats are stored too.
 *
 * Arguments: file. events, n: the batch; seq is ignored, and n 0 ignores the pointer. last_seq: where the last seq of the efile as of
 * this append goes, or NULL.
 * Returns: ESTORE_OK, stored, and *last_seq set; on failure *last_seq is as it was and nothing is stored, except that
 * ESTORE_ERR_OUTCOME_UNKNOWN leaves that open.
 * Ownership: borrows the events and their data during the call.
 * Threads: any, also at the same time; each batch stays together.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_TOO_LARGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED;
 * ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_append(efile *file,
                           const estore_event *events,
                           size_t n,
                           uint64_t *last_seq,
                           estore_error *err);

/**
 * Appends those events of a batch that are not there yet, in one step: none whose time, id and data are those of a stored event or of an
 * earlier one in the batch. Meant for sources that send again what may have been stored.
 *
 * Arguments: file. events, n: the batch; seq is ignored, and n 0 ignores the pointer. last_seq: where the last seq of the efile as of
 * this append goes. stored, present, expired: where the numbers of events go that were stored, were there already, or lay before what
 * was deleted. Each of the four may be NULL.
 * Returns: ESTORE_OK and the outputs set, stored + present + expired = n; on failure they are as they were and nothing is stored, except
 * that ESTORE_ERR_OUTCOME_UNKNOWN leaves that open.
 * Ownership: borrows the events and their data during the call.
 * Threads: any, also at the same time; each batch stays together.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_TOO_LARGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED;
 * ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_append_absent(efile *file,
                                  const estore_event *events,
                                  size_t n,
                                  uint64_t *last_seq,
                                  uint64_t *stored,
                                  uint64_t *present,
                                  uint64_t *expired,
                                  estore_error *err);

/**
 * Makes everything appended so far survive loss of power. Blocks until the disk has confirmed.
 *
 * Arguments: file. durable_seq: where the seq goes up to which everything is safe now, or NULL.
 * Returns: ESTORE_OK and *durable_seq set; on failure it is as it was. After ESTORE_ERR_IO or ESTORE_ERR_OUTCOME_UNKNOWN the efile refuses
 * appends until it is opened again, since what the disk holds is unknown.
 * Ownership: borrows file.
 * Threads: any, also beside appends and other syncs.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN;
 * ESTORE_ERR_IO; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_sync(efile *file,
                         uint64_t *durable_seq,
                         estore_error *err);

/**
 * Does what is due by time (a sync, a flush of the buffer; in a handle that only reads, a look for what its tails wait for). Only needed
 * if the efile was opened without a thread of its own; see estore_options_set_background.
 *
 * Arguments: file.
 * Returns: ESTORE_OK, also if nothing was due.
 * Ownership: borrows file.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
 * ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_tick(efile *file,
                         estore_error *err);

/**
 * Tells the last seq given. Costs no input or output where the efile is open for writing; a handle that only reads looks for news first.
 *
 * Arguments: file. seq: where the number goes; 0 if nothing was ever appended.
 * Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
 * Ownership: borrows file.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_last_seq(const efile *file,
                             uint64_t *seq,
                             estore_error *err);

/**
 * Tells up to which seq everything survives loss of power. Costs no input or output where the efile is open for writing; a handle that
 * only reads looks for news first, and may know of less than is safe.
 *
 * Arguments: file. seq: where the number goes.
 * Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
 * Ownership: borrows file.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_durable_seq(const efile *file,
                                uint64_t *seq,
                                estore_error *err);

/**
 * Starts reading a range in exact time order, equal times in the order in which they were appended. The iterator shows one moment: every
 * append that had returned, and nothing that comes later.
 *
 * Arguments: file. start, end: times, both inclusive; UINT64_MAX as end means no end. flags: ESTORE_READ_FORWARD, ESTORE_READ_REVERSE,
 * ESTORE_READ_LAST, ESTORE_READ_SALVAGE, or several together. limit: at most so many events, counted from where reading starts; 0 for no
 * limit. iter: where the iterator goes.
 * Returns: ESTORE_OK and *iter set; on failure *iter is as it was.
 * Ownership: the iterator is the caller's, to be closed by estore_iter_close. It keeps what it needs: the efile may be closed before it.
 * Threads: any, also at the same time; the iterator itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE;
 * ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to
 * be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_read_iter(const efile *file,
                              uint64_t start,
                              uint64_t end,
                              uint32_t flags,
                              uint64_t limit,
                              estore_iter **iter,
                              estore_error *err);

/**
 * Follows the efile: gives every event with a larger seq than after_seq, in order of arrival (late events as they arrive), and then those
 * that come, in the writing process or in any other. It survives late data, compaction and the writer's restarts. Only the seq of the last
 * event that was handled needs to be kept to go on another time. To look back and then follow: efile_read_iter, then efile_tail_iter from
 * its estore_iter_snapshot_seq. A writer without tails pays nothing for them.
 *
 * Arguments: file. after_seq: the seq of the last event that was handled; 0 begins with the first, efile_last_seq with the next to come.
 * iter: where the iterator goes.
 * Returns: ESTORE_OK and *iter set; on failure *iter is as it was.
 * Ownership: the iterator is the caller's, to be closed by estore_iter_close. Once the efile is closed it gives what is left, and then
 * ESTORE_ERR_CLOSED.
 * Threads: any, also at the same time; the iterator itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for a seq that no event of this efile can have had yet, that is one beyond the last event
 * unless events with such seqs may have been lost with power); ESTORE_ERR_CLOSED; ESTORE_ERR_IO;
 * ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_CORRUPT;
 * ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_tail_iter(const efile *file,
                              uint64_t after_seq,
                              estore_iter **iter,
                              estore_error *err);

/**
 * Counts the events of a range, as reading it now would give them.
 *
 * Arguments: file. start, end: times, both inclusive; UINT64_MAX as end means no end. count: where the number goes.
 * Returns: ESTORE_OK and *count set; on failure *count is as it was.
 * Ownership: borrows file.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE;
 * ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to
 * be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_count(const efile *file,
                          uint64_t start,
                          uint64_t end,
                          uint64_t *count,
                          estore_error *err);

/**
 * Tells the numbers of the efile.
 *
 * Arguments: file. values, capacity: an array of the caller and its length, ESTORE_STAT_COUNT for all that this header knows; capacity 0
 * ignores the pointer. n: where it goes how many numbers this library knows.
 * Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_STAT_ constants, and *n set; elements from *n on, and all on
 * failure, are as they were.
 * Ownership: the array is the caller's; borrows file.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE,
 * ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_stats(const efile *file,
                          uint64_t *values,
                          size_t capacity,
                          size_t *n,
                          estore_error *err);

/**
 * Looks at every byte of the efile: all checksums, the order of events, and whether the files agree with each other. May run while others
 * append and read, in this process and beside the writer in another: an append in progress is not taken for damage. Changes nothing.
 *
 * Arguments: file. on_finding: called for each finding, or NULL to have them counted only. userdata: given to it as it is. events: where
 * the number of events goes that were found whole, or NULL. damaged: where the number of findings goes that are ESTORE_FINDING_DAMAGE, or
 * NULL.
 * Returns: ESTORE_OK and the outputs set, whatever was found and also if on_finding ended the walk; on failure they are as they were.
 * Ownership: borrows file; see estore_finding_fn for what it receives.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_verify(const efile *file,
                           estore_finding_fn on_finding,
                           void *userdata,
                           uint64_t *events,
                           uint64_t *damaged,
                           estore_error *err);

/**
 * Merges the logs of the efile into one: sorted, in full frames, with nothing late any more. Reading it takes less then, and so does
 * keeping it. Appends and iterators go on meanwhile. An efile does this by itself where it is worth it, unless
 * estore_options_set_compaction is off.
 *
 * Arguments: file. start, end: times, both included; an efile is compacted whole, whatever they are. on_progress: is told how far it is,
 * or NULL. userdata: given to it as it is. bytes_before, bytes_after: where the bytes of the logs go that were compacted, as they were and
 * as they are; each may be NULL.
 * Returns: ESTORE_OK and the outputs set, also if on_progress stopped it: then nothing has changed; on failure they are as they were. A
 * damaged efile stays as it is.
 * Ownership: borrows file; see estore_progress_fn.
 * Threads: any, also beside all other calls; one at a time compacts, the others wait.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE (nothing is lost); ESTORE_ERR_IO;
 * ESTORE_ERR_CORRUPT; ESTORE_ERR_READ_ONLY; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_compact(const efile *file,
                            uint64_t start,
                            uint64_t end,
                            estore_progress_fn on_progress,
                            void *userdata,
                            uint64_t *bytes_before,
                            uint64_t *bytes_after,
                            estore_error *err);

/**
 * Makes a copy of the efile as it is at one moment in another folder, while appends, compaction and iterators go on. When it returns the
 * copy is durable, and an efile like any other: it can be opened for reading, and for writing, from when on it is one of its own. Also
 * through a handle that only reads, beside a writer in another process. Logs that compaction has made, which never change, are not copied
 * where the file system has hard links: one file then has a name in both folders, and whatever becomes of one of them, the other keeps it.
 * All that is copied is looked at; damage is copied too, and counted.
 *
 * Arguments: file. dir, dir_len: the folder. It is made if it is not there, in a folder that is; it may be empty, or hold an earlier
 * snapshot of the same efile that nobody has opened for writing: then only what is new is copied, and until the new one is whole the
 * earlier one is there. on_progress: is told how far it is, or NULL. userdata: given to it as it is. seq: where the last seq goes that the
 * snapshot shows, to follow from. bytes_copied, bytes_linked: where the bytes of the logs go that were copied, and that have got a second
 * name. damaged: where the number of damaged places goes. stopped: where 1 goes if on_progress stopped it, which leaves the folder as it
 * was, else 0. Each output may be NULL.
 * Returns: ESTORE_OK and the outputs set, also if on_progress stopped it; on failure they, and the folder, are as they were.
 * Ownership: borrows file and dir; see estore_progress_fn.
 * Threads: any, also beside all other calls; one at a time into one folder, others get ESTORE_ERR_LOCKED.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for the folder of the efile itself, and those in it); ESTORE_ERR_EXISTS (another store, or
 * a snapshot that is or was open for writing, or a later one); ESTORE_ERR_FOREIGN_FILES; ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_LOCKED
 * (another one is being made there); ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT (an
 * earlier snapshot is damaged); ESTORE_ERR_GONE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_snapshot(const efile *file,
                             const char *dir,
                             size_t dir_len,
                             estore_progress_fn on_progress,
                             void *userdata,
                             uint64_t *seq,
                             uint64_t *bytes_copied,
                             uint64_t *bytes_linked,
                             uint64_t *damaged,
                             int32_t *stopped,
                             estore_error *err);

/**
 * Tells what a time range holds, in a few numbers that are equal for equal sets of events, however they were appended, how often, and
 * whatever has become of their files: for each bucket of time how many events there are (repeats count once) and an order-free 128-bit sum
 * of their hashes. Two efiles that should hold the same are compared by it. Takes about two scans of the range.
 *
 * Arguments: file. start, end: times, both inclusive. width_ns: how long each bucket is; the last one may be shorter. Range and width
 * are to be the same for both. buckets, capacity_buckets: an array of the caller with room for three numbers for each bucket. n_buckets:
 * where the number of buckets goes, which is (end - start) / width_ns + 1, or NULL. horizon: where the time goes before which the efile
 * has deleted everything, or NULL.
 * Returns: ESTORE_OK, of each bucket in turn the count and the low and the high 64 bits of the sum in buckets, and the outputs set; on
 * failure all is as it was.
 * Ownership: the array is the caller's; borrows file.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for more than 1048576 buckets, and too little room); ESTORE_ERR_RANGE;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE,
 * ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_digest(const efile *file,
                           uint64_t start,
                           uint64_t end,
                           uint64_t width_ns,
                           uint64_t *buckets,
                           size_t capacity_buckets,
                           size_t *n_buckets,
                           uint64_t *horizon,
                           estore_error *err);

/**
 * Brings an efile what it lacks of the events of another one that is open here too, in a time range; or each of the two what it lacks.
 * Nothing is doubled. Their settings may differ. Both are as they are when it begins, and are read once; appends may go on meanwhile. What
 * is in damaged frames is not there, in either of them: it is not copied from the other one, and copied anew to the one that is repaired.
 * It can be stopped, or fail, at any point, and be done again: what was copied stays, and a second time nothing is.
 *
 * Arguments: to, from: the efile that is repaired, and the other one. start, end: times, both inclusive; UINT64_MAX as end means no end.
 * flags: ESTORE_REPAIR_ONE_WAY or ESTORE_REPAIR_BOTH_WAYS. on_gap: called at the end for each damaged place, first those of the other one,
 * then those of the one that is repaired, or NULL. on_progress: is told how far it is, or NULL. userdata: given to both as it is. values,
 * capacity: an array of the caller and its length, ESTORE_REPAIRED_COUNT for all that this header knows; capacity 0 ignores the pointer.
 * n: where it goes how many numbers this library knows, or NULL.
 * Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_REPAIRED_ constants, and *n set, also if on_progress stopped
 * it; elements from *n on, and all on failure, are as they were.
 * Ownership: borrows both, and the array; see estore_gap_fn and estore_progress_fn.
 * Threads: any, also beside all other calls.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_CLOSED; ESTORE_ERR_CORRUPT;
 * ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of the one that is given events);
 * ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
 * ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_repair(efile *to,
                           efile *from,
                           uint64_t start,
                           uint64_t end,
                           uint32_t flags,
                           estore_gap_fn on_gap,
                           estore_progress_fn on_progress,
                           void *userdata,
                           uint64_t *values,
                           size_t capacity,
                           size_t *n,
                           estore_error *err);

/**
 * Begins to bring an efile what it lacks of the events of another one in a time range, which may be anywhere: the two exchange messages,
 * and it is the caller who carries them. estore_exchange_request gives a message; efile_answer of the other one answers it; the answer
 * goes to estore_exchange_reply; until there is no request any more. One event that lacks among 100 million is found with a few messages
 * of some kilobytes.
 *
 * Arguments: file. start, end: times, both inclusive; UINT64_MAX as end means no end. flags: ESTORE_REPAIR_ONE_WAY or
 * ESTORE_REPAIR_BOTH_WAYS. exchange: where the exchange goes.
 * Returns: ESTORE_OK and *exchange set; on failure it is as it was.
 * Ownership: the exchange is the caller's, to be ended by estore_exchange_close. Once the efile is closed it fails with
 * ESTORE_ERR_CLOSED.
 * Threads: any, also at the same time; the exchange itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_IO;
 * ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of
 * a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_exchange_begin(efile *file,
                                   uint64_t start,
                                   uint64_t end,
                                   uint32_t flags,
                                   estore_exchange **exchange,
                                   estore_error *err);

/**
 * Answers a message of an exchange elsewhere. Nothing is remembered from one message to the next, so a peer may vanish at any point.
 *
 * Arguments: file: may be open for reading only, unless the other one gives it events. message, len: the message, as it came. reply: where
 * the answer goes.
 * Returns: ESTORE_OK and *reply set; on failure it is as it was.
 * Ownership: the reply is the caller's, to be freed by estore_bytes_free. Borrows message during the call.
 * Threads: any, also at the same time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no message of an exchange, or one that was cut or changed: nothing was
 * stored); ESTORE_ERR_READ_ONLY; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of this
 * one); ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_answer(efile *file,
                           const uint8_t *message,
                           size_t len,
                           estore_bytes **reply,
                           estore_error *err);

/**
 * Starts giving the events of a range as parcels, bytes that can be kept or carried anywhere, for efile_import elsewhere. The export shows
 * one moment, as an iterator does.
 *
 * Arguments: file. start, end, flags, limit: as for efile_read_iter. parcels: where the export goes.
 * Returns: ESTORE_OK and *parcels set; on failure it is as it was.
 * Ownership: the export is the caller's, to be closed by estore_export_close. It keeps what it needs: the efile may be closed before it.
 * Threads: any, also at the same time; the export itself is used by one thread at a time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
 * ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_export_begin(const efile *file,
                                 uint64_t start,
                                 uint64_t end,
                                 uint32_t flags,
                                 uint64_t limit,
                                 estore_export **parcels,
                                 estore_error *err);

/**
 * Appends the events of a parcel that are not there yet, as one batch. One that was cut or changed on its way is refused as a whole.
 *
 * Arguments: file. parcel, len: the parcel, as estore_export_next gave it elsewhere. last_seq, stored, present, expired: as for
 * efile_append_absent; each may be NULL.
 * Returns: ESTORE_OK and the outputs set; on failure they are as they were and nothing is stored, except that ESTORE_ERR_OUTCOME_UNKNOWN
 * leaves that open.
 * Ownership: borrows parcel during the call.
 * Threads: any, also at the same time; each parcel stays together.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no parcel, or one that was cut or changed); ESTORE_ERR_TOO_LARGE;
 * ESTORE_ERR_TOO_MANY_CHUNKS; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_import(efile *file,
                           const uint8_t *parcel,
                           size_t len,
                           uint64_t *last_seq,
                           uint64_t *stored,
                           uint64_t *present,
                           uint64_t *expired,
                           estore_error *err);

/**
 * Closes an efile: flushes, syncs, gives up the lock, and sets the variable to NULL, also if it reports a failure. Iterators that are
 * open go on.
 *
 * Arguments: file: the address of the variable; a NULL in it is fine, so closing twice is too.
 * Returns: ESTORE_OK: all appended events are on disk. If the variable held a handle of another kind, or one that a call is using (as in a
 * callback of that call): ESTORE_ERR_INVALID, and it stays. Any other failure says that some may not be; the handle is gone all the same.
 * Ownership: ends the caller's.
 * Threads: any, while no other thread uses the handle. Allowed in a forked child, where it touches no file and no lock.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_close(efile **file,
                          estore_error *err);

/**
 * Removes an efile from disk: its own files, and the folder if nothing else is in it.
 *
 * Arguments: path, path_len: the folder, any bytes but NUL, and how many. options: none of them has a meaning here; NULL will do.
 * Returns: ESTORE_OK if it is gone.
 * Ownership: borrows path and options during the call.
 * Threads: any, at any time. Refused while a writer has the efile open.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NOT_FOUND; ESTORE_ERR_NOT_A_STORE; ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_LOCKED;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_IO; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status efile_destroy(const char *path,
                            size_t path_len,
                            const estore_options *options,
                            estore_error *err);

/* Replicas, of stores and efiles */

/**
 * Tells where two digests of the same range and width differ: the times in which one of the two stores has an event that the other lacks.
 * Times before the later horizon of the two are left out; but the bucket in which it lies may differ just by what is deleted of it. To be
 * exact there, ask both for a range that starts at the later horizon.
 *
 * Arguments: start, end, width_ns: as both were asked for. one, other: the buckets of each, three numbers for each bucket, as
 * estore_digest and efile_digest give them. n_buckets: how many buckets each has. one_horizon, other_horizon: the horizons that came with
 * them. bounds, capacity_ranges: an array of the caller with room for two numbers for each range; capacity_ranges 0 ignores the pointer.
 * ranges: where the number of ranges goes.
 * Returns: ESTORE_OK, the first ranges as pairs of first and last time (both inclusive) in bounds, in order and not touching, and *ranges
 * set; 0 if the digests are equal. On failure all is as it was.
 * Ownership: borrows the buckets; the array is the caller's.
 * Threads: any, at any time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also if n_buckets is not how many there are of this width in the range); ESTORE_ERR_RANGE;
 * ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_digest_differences(uint64_t start,
                                        uint64_t end,
                                        uint64_t width_ns,
                                        const uint64_t *one,
                                        uint64_t one_horizon,
                                        const uint64_t *other,
                                        uint64_t other_horizon,
                                        size_t n_buckets,
                                        uint64_t *bounds,
                                        size_t capacity_ranges,
                                        size_t *ranges,
                                        estore_error *err);

/**
 * Gives the next message for the other store, to be answered there by estore_answer or efile_answer. Until estore_exchange_reply has taken
 * the answer it is the same message again.
 *
 * Arguments: exchange. message: where the message goes.
 * Returns: ESTORE_OK and *message set; ESTORE_END once all is done. *message is as it was unless ESTORE_OK is returned.
 * Ownership: the message is the caller's, to be freed by estore_bytes_free.
 * Threads: any, one at a time on one exchange.
 * Statuses: ESTORE_OK; ESTORE_END; ESTORE_ERR_INVALID; ESTORE_ERR_CLOSED; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE;
 * ESTORE_ERR_PERMISSION; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_exchange_request(estore_exchange *exchange,
                                      estore_bytes **message,
                                      estore_error *err);

/**
 * Takes the other store's answer to the last message. What it brings is appended before this returns.
 *
 * Arguments: exchange. reply, len: the answer, as it came.
 * Returns: ESTORE_OK, and it is time for the next estore_exchange_request. On failure the answer counts for nothing, except that
 * ESTORE_ERR_OUTCOME_UNKNOWN leaves that open, and the same message waits to be sent again.
 * Ownership: borrows reply during the call.
 * Threads: any, one at a time on one exchange.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no answer to the last message, or one that was cut or changed);
 * ESTORE_ERR_CLOSED; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of the store);
 * ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
 * ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_exchange_reply(estore_exchange *exchange,
                                    const uint8_t *reply,
                                    size_t len,
                                    estore_error *err);

/**
 * Tells what was done so far. Ranges of which both hold the same are not looked into, so their events are not among those compared.
 *
 * Arguments: exchange. on_gap: called for each damaged place that is known, first those of the other store, whose path is a bare name or
 * empty, then its own; or NULL. userdata: given to it as it is.
 * values, capacity: an array of the caller and its length, ESTORE_REPAIRED_COUNT for all that this header knows; capacity 0 ignores the
 * pointer. n: where it goes how many numbers this library knows, or NULL.
 * Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_REPAIRED_ constants, and *n set; elements from *n on, and all
 * on failure, are as they were.
 * Ownership: the array is the caller's. See estore_gap_fn for what it receives.
 * Threads: any, one at a time on one exchange.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_exchange_repaired(const estore_exchange *exchange,
                                       estore_gap_fn on_gap,
                                       void *userdata,
                                       uint64_t *values,
                                       size_t capacity,
                                       size_t *n,
                                       estore_error *err);

/**
 * Ends an exchange, at any point, and sets the variable to NULL. What was copied stays; another exchange brings the rest.
 *
 * Arguments: exchange: the address of the variable; a NULL in it is fine.
 * Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
 * stays.
 * Ownership: ends the caller's. The store may be closed before or after.
 * Threads: any, while no other thread uses the exchange. Allowed in a forked child, where it touches no file and no lock.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_exchange_close(estore_exchange **exchange,
                                    estore_error *err);

/**
 * Gives the next events as a parcel, for estore_import or efile_import elsewhere. Parcels may be put one behind the other in a file: bytes
 * 16 to 23 of each say how long it is, as a little-endian number.
 *
 * Arguments: parcels: the export. max_bytes: a parcel has at most so many bytes, unless a single event needs more. 1 MiB is a good size.
 * parcel: where the parcel goes.
 * Returns: ESTORE_OK and *parcel set; ESTORE_END at the end, again and again. *parcel is as it was unless ESTORE_OK is returned. After a
 * failure each further call answers the same.
 * Ownership: the parcel is the caller's, to be freed by estore_bytes_free.
 * Threads: any, one at a time on one export.
 * Statuses: ESTORE_OK; ESTORE_END; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT (after every whole event before the damage);
 * ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_export_next(estore_export *parcels,
                                 size_t max_bytes,
                                 estore_bytes **parcel,
                                 estore_error *err);

/**
 * Tells up to which seq the export shows the store: every event of its range with at most this seq, and none with a larger one.
 *
 * Arguments: parcels: the export. seq: where the number goes.
 * Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
 * Ownership: borrows parcels.
 * Threads: any, one at a time on one export.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_export_snapshot_seq(const estore_export *parcels,
                                         uint64_t *seq,
                                         estore_error *err);

/**
 * Tells what an export made with ESTORE_READ_SALVAGE has left out so far; all of it is known once it has come to its end. Other exports
 * leave nothing out.
 *
 * Arguments: parcels: the export. on_gap: called for each gap, or NULL to have them counted only. userdata: given to it as it is. n: where
 * the number of gaps goes, or NULL.
 * Returns: ESTORE_OK and *n set; on failure *n is as it was.
 * Ownership: borrows parcels. See estore_gap_fn for what it receives.
 * Threads: any, one at a time on one export.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_export_gaps(const estore_export *parcels,
                                 estore_gap_fn on_gap,
                                 void *userdata,
                                 size_t *n,
                                 estore_error *err);

/**
 * Closes an export and sets the variable to NULL. Parcels that it gave stay.
 *
 * Arguments: parcels: the address of the variable; a NULL in it is fine.
 * Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
 * stays.
 * Ownership: ends the caller's. The store may be closed before or after.
 * Threads: any, while no other thread uses the export. Allowed in a forked child, where it touches no file and no lock.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_export_close(estore_export **parcels,
                                  estore_error *err);

/**
 * Gives a view of the bytes.
 *
 * Arguments: bytes. data, len: where the address of the first one goes, and how many there are.
 * Returns: ESTORE_OK, *data and *len set; on failure they are as they were.
 * Ownership: the view is valid until estore_bytes_free. Nobody may write to it.
 * Threads: any, also at the same time.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_bytes_view(const estore_bytes *bytes, const uint8_t **data, size_t *len, estore_error *err);

/**
 * Frees bytes and sets the variable to NULL.
 *
 * Arguments: bytes: the address of the variable; a NULL in it is fine.
 * Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind: ESTORE_ERR_INVALID, and it stays.
 * Ownership: ends the caller's, and views of the bytes.
 * Threads: any, while no other thread uses them.
 * Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
 * Since: 0.1.
 */
estore_status estore_bytes_free(estore_bytes **bytes);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ESTORE_H */
