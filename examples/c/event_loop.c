/*
 * A host with one thread and an event loop: what comes on standard input is stored line by line, as soon as it is there. The store has no
 * thread of its own; the loop gives it the time for its syncs.
 *
 * Build and run it from the top of the repository, after `make lib`:
 *
 *     cc -std=c99 -Iinclude examples/c/event_loop.c -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o event_loop
 *     (echo one; sleep 1; echo two) | ./event_loop [folder]
 *
 * The folder is `lines` unless you say otherwise.
 */
#define _POSIX_C_SOURCE 200809L

#include <estore.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_MS 100

static estore_error err = ESTORE_ERROR_INIT;

static void fail(const char *why)
{
    fprintf(stderr, "event_loop: %s\n", why);
    exit(1);
}

static void check(estore_status status)
{
    if (status < 0)
        fail(err.message[0] != '\0' ? err.message : estore_strerror(status));
}

/* Appends the whole lines, without copying them; answers how many bytes of the input they took. */
static size_t append_lines(estore *store, const char *input, size_t len)
{
    const char *line = input, *end;
    estore_event batch[256];
    size_t n = 0;

    while ((end = memchr(line, '\n', len - (size_t)(line - input))) != NULL) {
        check(estore_event_init(&batch[n++], (const uint8_t *)line, (size_t)(end - line)));
        if (n == 256) {
            check(estore_append(store, batch, n, NULL, &err));
            n = 0;
        }
        line = end + 1;
    }
    check(estore_append(store, batch, n, NULL, &err));
    return (size_t)(line - input);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "lines";
    estore_options *options = estore_options_new();
    estore *store = NULL;
    struct pollfd source = {STDIN_FILENO, POLLIN, 0};
    uint64_t safe = 0, durable, last, count;
    size_t room = 65536, used = 0, taken;
    char *input = malloc(room);
    int open = 1;

    check(estore_options_set_background(options, 0));
    check(estore_options_set_durability(options, ESTORE_DURABILITY_INTERVAL, INTERVAL_MS * UINT64_C(1000000)));
    check(estore_open(folder, strlen(folder), options, &store, &err));
    estore_options_free(&options);
    check(estore_durable_seq(store, &safe, &err));

    while (open) {
        /* While something waits for its sync, the loop wakes up by itself. */
        check(estore_last_seq(store, &last, &err));
        if (poll(&source, 1, last > safe ? INTERVAL_MS : -1) < 0) {
            if (errno == EINTR)
                continue;
            fail(strerror(errno));
        }
        if (source.revents != 0) {
            ssize_t n;
            if (used == room) /* a long line */
                input = realloc(input, room *= 2);
            if (input == NULL)
                fail("out of memory");
            if ((n = read(STDIN_FILENO, input + used, room - used)) < 0)
                fail(strerror(errno));
            used += (size_t)n;
            open = n > 0;
            if (!open && used > 0)
                input[used++] = '\n'; /* the last line ends here */
            taken = append_lines(store, input, used);
            used -= taken;
            memmove(input, input + taken, used);
        }
        check(estore_tick(store, &err)); /* a sync, if one is due; costs next to nothing otherwise */
        check(estore_durable_seq(store, &durable, &err));
        if (durable > safe) {
            safe = durable;
            printf("safe against loss of power: all up to event %llu\n", (unsigned long long)safe);
            fflush(stdout);
        }
    }
    check(estore_count(store, 0, UINT64_MAX, &count, &err));
    printf("%llu lines stored\n", (unsigned long long)count);
    check(estore_close(&store, &err));
    free(input);
    return 0;
}
