/*
 * Many writers: threads append to one store at the same time, each batch safe against loss of power when its append returns. Appends that
 * run at once share their syncs; each batch stays together.
 *
 * Build and run it from the top of the repository, after `make lib`:
 *
 *     cc -std=c99 -Iinclude examples/c/many_writers.c -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -lpthread -o many_writers
 *     ./many_writers [folder]
 *
 * The folder must not exist yet; it is `writers` unless you say otherwise.
 */
#define _POSIX_C_SOURCE 200809L

#include <estore.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define START (1700049600 * SECOND)

enum { WRITERS = 8, BATCHES = 25, BATCH_SIZE = 10 };

struct writer {
    pthread_t thread;
    estore *store;
    uint32_t id; /* it marks its events with this */
    estore_status status;
    estore_error err; /* threads do not share it */
};

static void check(estore_status status, const estore_error *err)
{
    if (status < 0) {
        fprintf(stderr, "many_writers: %s\n", err->message[0] != '\0' ? err->message : estore_strerror(status));
        exit(1);
    }
}

static void *append_batches(void *argument)
{
    struct writer *writer = argument;
    estore_event batch[BATCH_SIZE];
    char text[16];
    unsigned b, i;

    for (b = 0; b < BATCHES && writer->status == ESTORE_OK; b++) {
        int len = snprintf(text, sizeof text, "batch %u", b);
        for (i = 0; i < BATCH_SIZE; i++) {
            batch[i].time = START + b * SECOND;
            batch[i].data = (const uint8_t *)text;
            batch[i].len = (uint32_t)len;
            batch[i].id = writer->id;
        }
        writer->status = estore_append(writer->store, batch, BATCH_SIZE, NULL, &writer->err);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "writers";
    estore_options *options = estore_options_new();
    estore *store = NULL;
    estore_iter *iter = NULL;
    estore_event event;
    estore_error err = ESTORE_ERROR_INIT;
    estore_status status;
    static struct writer writers[WRITERS];
    uint64_t count, last_seq, durable_seq, time = 0;
    uint32_t i, id = WRITERS;
    unsigned pieces = 0;

    check(estore_options_set_mode(options, ESTORE_MODE_CREATE_NEW), &err);
    check(estore_options_set_durability(options, ESTORE_DURABILITY_POWER, 0), &err);
    check(estore_open(folder, strlen(folder), options, &store, &err), &err);
    estore_options_free(&options);

    for (i = 0; i < WRITERS; i++) {
        writers[i].store = store;
        writers[i].id = i;
        if (pthread_create(&writers[i].thread, NULL, append_batches, &writers[i]) != 0) {
            fprintf(stderr, "many_writers: no thread could be started\n");
            exit(1);
        }
    }
    for (i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        check(writers[i].status, &writers[i].err);
    }

    check(estore_count(store, 0, UINT64_MAX, &count, &err), &err);
    check(estore_last_seq(store, &last_seq, &err), &err);
    check(estore_durable_seq(store, &durable_seq, &err), &err);
    printf("%d threads wrote %llu events, all of them safe: %s\n", WRITERS, (unsigned long long)count,
           durable_seq == last_seq ? "yes" : "no");

    /* Events of equal time come in the order of their arrival, so a batch that stayed together comes in one piece. */
    check(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err), &err);
    while ((status = estore_iter_next(iter, &event, &err)) == ESTORE_OK) {
        pieces += event.time != time || event.id != id;
        time = event.time;
        id = event.id;
    }
    check(status, &err);
    estore_iter_close(&iter, NULL);
    printf("%d batches, read in %u pieces\n", WRITERS * BATCHES, pieces);
    check(estore_close(&store, &err), &err);
    return 0;
}
