/*
 * Ships a log into a store and reads a span of time out of it. A line may begin with its time, in seconds since 1970; one that does not has
 * the time of the line before it, or of now. Lines may come in any order and are printed in the order of their times.
 *
 * Build and run it from the top of the repository, after `make lib`:
 *
 *     cc -std=c99 -Iinclude examples/c/log_shipper.c -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o log_shipper
 *     printf '1700000002 two\n1700000001 one\n' | ./log_shipper logs
 *     ./log_shipper logs 1700000000 1700000001
 */
#define _POSIX_C_SOURCE 200809L

#include <estore.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 1000
#define SECOND UINT64_C(1000000000) /* in nanoseconds */

static estore_error err = ESTORE_ERROR_INIT;

static void fail(const char *why)
{
    fprintf(stderr, "log_shipper: %s\n", why);
    exit(1);
}

static void check(estore_status status)
{
    if (status < 0)
        fail(err.message[0] != '\0' ? err.message : estore_strerror(status));
}

/* The seconds at the start of a text, if that is where it begins; what comes after a space may be anything. */
static int seconds_of(const char *text, size_t len, uint64_t *seconds)
{
    uint64_t value = 0;
    size_t i;
    for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
        value = value * 10 + (uint64_t)(text[i] - '0');
        if (value >= UINT64_MAX / SECOND)
            return 0;
    }
    if (i == 0 || (i < len && text[i] != ' '))
        return 0;
    *seconds = value;
    return 1;
}

static void ship(const char *folder)
{
    estore *store = NULL;
    estore_event batch[BATCH];
    uint64_t shipped = 0, without_time = 0, time = estore_now(), seconds;
    size_t room = 65536, used = 0;
    char *input = malloc(room), *line, *end;
    ssize_t got;

    check(estore_open(folder, strlen(folder), NULL, &store, &err));
    do {
        if (used == room) /* a long line */
            input = realloc(input, room *= 2);
        if (input == NULL)
            fail("out of memory");
        if ((got = read(STDIN_FILENO, input + used, room - used)) < 0)
            fail(strerror(errno));
        used += (size_t)got;
        if (got == 0 && used > 0)
            input[used++] = '\n'; /* the last line ends here */

        /* What is there goes into the store at once: many lines in one batch while they come fast, each one soon while they come slowly.
         * Events are views of the lines, which stay where they are during the call. */
        for (line = input; line < input + used;) {
            size_t n = 0;
            for (; n < BATCH && (end = memchr(line, '\n', (size_t)(input + used - line))) != NULL; n++, line = end + 1) {
                size_t len = (size_t)(end - line);
                if (len > UINT32_MAX)
                    fail("a line of more than 4 GiB");
                if (seconds_of(line, len, &seconds))
                    time = seconds * SECOND;
                else
                    without_time++;
                batch[n].time = time;
                batch[n].data = (const uint8_t *)line;
                batch[n].len = (uint32_t)len;
                batch[n].id = estore_event_id();
            }
            if (n == 0)
                break; /* the rest of this line is still to come */
            check(estore_append(store, batch, n, NULL, &err));
            shipped += n;
        }
        used = (size_t)(input + used - line);
        memmove(input, line, used);
    } while (got > 0);
    check(estore_close(&store, &err));
    free(input);
    printf("%llu lines, %llu without a time\n", (unsigned long long)shipped, (unsigned long long)without_time);
}

static void print(const char *folder, uint64_t from, uint64_t to)
{
    estore_options *options = estore_options_new();
    estore *store = NULL;
    estore_iter *iter = NULL;
    estore_event events[256];
    estore_status status;
    size_t n, i;

    /* Reading only: works beside a shipper. */
    check(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    check(estore_open(folder, strlen(folder), options, &store, &err));
    estore_options_free(&options);
    check(estore_read_iter(store, from * SECOND, to * SECOND + (SECOND - 1), ESTORE_READ_FORWARD, 0, &iter, &err));
    while ((status = estore_iter_next_batch(iter, events, 256, &n, &err)) == ESTORE_OK) {
        for (i = 0; i < n; i++) {
            fwrite(events[i].data, 1, events[i].len, stdout);
            putchar('\n');
        }
    }
    check(status);
    estore_iter_close(&iter, NULL);
    check(estore_close(&store, &err));
}

int main(int argc, char **argv)
{
    uint64_t from, to;

    if (argc == 2) {
        ship(argv[1]);
    } else if (argc == 4 && seconds_of(argv[2], strlen(argv[2]), &from) && seconds_of(argv[3], strlen(argv[3]), &to)) {
        print(argv[1], from, to);
    } else {
        fprintf(stderr, "usage: log_shipper FOLDER [FROM TO]    (seconds since 1970, both inclusive)\n");
        return 2;
    }
    return 0;
}
