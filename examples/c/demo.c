/*
 * Loads a log file into a store, looks around in it, and checks that reading gives exactly the input, sorted by time.
 *
 *     make lib
 *     cc -O2 -I include examples/c/demo.c -L target/release -lestore -Wl,-rpath,target/release -o demo
 *     ./demo                         the package log of this machine, /var/log/dpkg.log
 *     ./demo some.log                another one
 *     some-program | ./demo -        standard input
 *
 *     -d DIR         keep the store in DIR (without: a temporary folder that is removed at the end)
 *     -s FILE_SIZE   the time range of one chunk, 30d if not given
 *     -g GRACE       how far behind the newest of its chunk an event may come before it is late, 1m if not given
 *
 * One line is one event. A line starts with its time: seconds since 1970, perhaps with a fraction, or YYYY-MM-DD HH:MM:SS, perhaps with a T
 * between, a fraction, and a Z or an offset such as +01:00 (UTC if there is none). Exit status: 0 if all is well, 1 if reading did not give
 * what was stored, 2 for any other failure.
 */
#define _POSIX_C_SOURCE 200809L

#include <estore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1000
#define SECOND UINT64_C(1000000000)
#define DAY (86400 * SECOND)

static estore_error err = ESTORE_ERROR_INIT;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "demo: %s: %s\n", what, why);
    exit(2);
}

static void check(estore_status status, const char *what)
{
    if (status < 0)
        fail(what, err.message);
}

/* Times in text */

/* A number of exactly `digits` digits; -1 if there is none. */
static long number(const char **text, const char *end, int digits)
{
    long value = 0;
    if (end - *text < digits)
        return -1;
    for (; digits > 0; digits--, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static int skip(const char **text, const char *end, const char *one_of)
{
    if (*text == end || **text == '\0' || strchr(one_of, **text) == NULL)
        return 0;
    (*text)++;
    return 1;
}

/* Nanoseconds of a fraction such as ".25", exact to the ninth digit; 0 if there is none. */
static uint64_t fraction(const char **text, const char *end)
{
    uint64_t value = 0, unit = SECOND / 10;
    const char *digits = *text + 1;
    if (end - *text < 2 || (**text != '.' && **text != ',') || *digits < '0' || *digits > '9')
        return 0;
    for (*text = digits; *text < end && **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        value += (uint64_t)(**text - '0') * unit;
    return value;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. A year starts in March here, so that the leap day is its last. */
static long days_since_1970(long year, long month, long day)
{
    long shifted = month <= 2 ? year - 1 : year;
    long day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year - 719468;
}

static int days_in_month(long year, long month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0));
}

static int parse_date(const char *text, const char *end, uint64_t *time)
{
    long year, month, day, hour, minute, second, offset = 0;
    uint64_t ns;
    int64_t seconds;

    year = number(&text, end, 4);
    if (year < 0 || !skip(&text, end, "-"))
        return 0;
    month = number(&text, end, 2);
    if (month < 1 || month > 12 || !skip(&text, end, "-"))
        return 0;
    day = number(&text, end, 2);
    if (day < 1 || day > days_in_month(year, month) || !skip(&text, end, " T"))
        return 0;
    hour = number(&text, end, 2);
    if (hour < 0 || hour > 23 || !skip(&text, end, ":"))
        return 0;
    minute = number(&text, end, 2);
    if (minute < 0 || minute > 59 || !skip(&text, end, ":"))
        return 0;
    second = number(&text, end, 2);
    if (second < 0 || second > 60) /* a leap second */
        return 0;
    ns = fraction(&text, end);
    if (text < end && (*text == '+' || *text == '-')) {
        long sign = *text++ == '-' ? 1 : -1, hours = number(&text, end, 2), minutes;
        skip(&text, end, ":");
        minutes = number(&text, end, 2);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
            return 0;
        offset = sign * (hours * 3600 + minutes * 60);
    }
    seconds = (int64_t)days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second + offset;
    if (seconds < 0 || (uint64_t)seconds > UINT64_MAX / SECOND - 1)
        return 0;
    *time = (uint64_t)seconds * SECOND + ns;
    return 1;
}

static int parse_seconds(const char *text, const char *end, uint64_t *time)
{
    uint64_t seconds = 0, ns;
    if (text == end || *text < '0' || *text > '9')
        return 0;
    for (; text < end && *text >= '0' && *text <= '9'; text++) {
        seconds = seconds * 10 + (uint64_t)(*text - '0');
        if (seconds > UINT64_MAX / SECOND - 1)
            return 0;
    }
    ns = fraction(&text, end);
    if (text < end && strchr(" \t\r:,;|", *text) == NULL)
        return 0;
    *time = seconds * SECOND + ns;
    return 1;
}

static int parse_time(const char *line, size_t len, uint64_t *time)
{
    return parse_date(line, line + len, time) || parse_seconds(line, line + len, time);
}

/* Pleasant output */

/* 1234567 as 1,234,567. A few results may be used at once. */
static const char *grouped(uint64_t value)
{
    static char texts[8][32];
    static unsigned next;
    char digits[24], *out = texts[next++ % 8], *const result = out;
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value), i;
    for (i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return result;
}

static void print_time(uint64_t time, const char *format)
{
    char text[64] = "?";
    time_t seconds = (time_t)(time / SECOND);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(text, sizeof text, format, &parts);
    fputs(text, stdout);
}

static void print_line(const estore_event *event)
{
    size_t len = event->len, i;
    int cut = len > 110;
    if (cut)
        for (len = 107; len > 0 && (event->data[len] & 0xC0) == 0x80; len--) /* not within a UTF-8 character */
            continue;
    fputs("    ", stdout);
    for (i = 0; i < len; i++)
        putchar(event->data[i] >= ' ' ? event->data[i] : ' ');
    puts(cut ? "..." : "");
}

/* The input, kept to check against it */

struct line {
    uint64_t time;
    size_t number; /* its place in the input */
    uint32_t id;
    uint32_t len;
    uint8_t *data;
};

static struct line *lines;
static size_t line_count, unreadable;

static void *need(void *memory)
{
    if (memory == NULL)
        fail("memory", "there is not enough of it");
    return memory;
}

static void read_input(FILE *input, const char *name)
{
    char *text = NULL;
    size_t size = 0, room = 0;
    ssize_t len;

    while ((len = getline(&text, &size, input)) >= 0) {
        struct line *line;
        uint64_t time;
        if (len > 0 && text[len - 1] == '\n')
            len--;
        if ((uint64_t)len > UINT32_MAX || !parse_time(text, (size_t)len, &time)) {
            unreadable++;
            continue;
        }
        if (line_count == room) {
            room = room ? 2 * room : BATCH;
            lines = (struct line *)need(realloc(lines, room * sizeof *lines));
        }
        line = &lines[line_count];
        line->time = time;
        line->number = line_count++;
        line->id = estore_event_id();
        line->len = (uint32_t)len;
        line->data = (uint8_t *)need(malloc((size_t)len + 1));
        memcpy(line->data, text, (size_t)len);
    }
    if (ferror(input))
        fail(name, "cannot be read");
    free(text);
}

static int by_time_then_arrival(const void *a, const void *b)
{
    const struct line *left = (const struct line *)a, *right = (const struct line *)b;
    if (left->time != right->time)
        return left->time < right->time ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* The store */

static void load(estore *store)
{
    estore_event batch[BATCH];
    size_t first, n;
    for (first = 0; first < line_count; first += n) {
        for (n = 0; n < BATCH && first + n < line_count; n++) {
            const struct line *line = &lines[first + n];
            batch[n].time = line->time;
            batch[n].seq = 0;
            batch[n].data = line->data;
            batch[n].len = line->len;
            batch[n].id = line->id;
        }
        check(estore_append(store, batch, n, NULL, &err), "append");
    }
    check(estore_sync(store, NULL, &err), "sync");
}

static void print_events(const estore *store, uint64_t start, uint64_t end, uint32_t flags, uint64_t limit)
{
    estore_iter *iter = NULL;
    estore_event event;
    estore_status status;
    check(estore_read_iter(store, start, end, flags, limit, &iter, &err), "read");
    while ((status = estore_iter_next(iter, &event, &err)) == ESTORE_OK)
        print_line(&event);
    check(status, "read");
    check(estore_iter_close(&iter, &err), "read");
}

/* Reads everything and compares it with the sorted lines; 0 at the first difference. */
static int reads_as_sorted(const estore *store, uint32_t flags)
{
    estore_iter *iter = NULL;
    estore_event events[256];
    estore_status status;
    size_t n = 0, seen = 0, i;
    int same = 1;

    check(estore_read_iter(store, 0, UINT64_MAX, flags, 0, &iter, &err), "read");
    while (same && (status = estore_iter_next_batch(iter, events, 256, &n, &err)) != ESTORE_END) {
        check(status, "read");
        for (i = 0; i < n && same; i++, seen++) {
            const struct line *line = &lines[flags == ESTORE_READ_REVERSE ? line_count - 1 - seen : seen];
            same = seen < line_count && events[i].time == line->time && events[i].id == line->id &&
                   events[i].len == line->len && memcmp(events[i].data, line->data, line->len) == 0;
        }
    }
    check(estore_iter_close(&iter, &err), "read");
    return same && seen == line_count;
}

static void show(const estore *store, const char *name, const char *file_size, const char *grace)
{
    uint64_t values[ESTORE_STAT_COUNT] = {0}, day, busiest = 0, most = 0, count = 0;
    size_t known = 0, i, in_day = 0;

    check(estore_stats(store, values, ESTORE_STAT_COUNT, &known, &err), "stats");
    printf("Loaded %s\n", name);
    printf("    lines    %12s", grouped(line_count + unreadable));
    if (unreadable > 0)
        printf("   (%s %s without a readable time left out)", grouped(unreadable), unreadable == 1 ? "line" : "lines");
    printf("\n    events   %12s\n", grouped(values[ESTORE_STAT_EVENTS]));
    printf("    chunks   %12s   (of %s each)\n", grouped(values[ESTORE_STAT_CHUNKS]), file_size);
    printf("    late     %12s   (came more than %s behind the newest of their chunk)\n", grouped(values[ESTORE_STAT_LATE_EVENTS]), grace);
    if (line_count == 0)
        return;
    printf("    from      ");
    print_time(values[ESTORE_STAT_OLDEST], "%Y-%m-%d %H:%M:%S");
    printf("\n    to        ");
    print_time(values[ESTORE_STAT_NEWEST], "%Y-%m-%d %H:%M:%S");

    for (i = 0; i < line_count; i++) {
        in_day = i > 0 && lines[i].time / DAY == lines[i - 1].time / DAY ? in_day + 1 : 1;
        if (in_day > most) {
            most = in_day;
            busiest = lines[i].time;
        }
    }
    day = busiest / DAY * DAY;
    check(estore_count(store, day, day > UINT64_MAX - DAY ? UINT64_MAX : day + DAY - 1, &count, &err), "count");
    printf("\n\nThe busiest day, ");
    print_time(busiest, "%Y-%m-%d");
    printf(", has %s %s. It begins with:\n", grouped(count), count == 1 ? "event" : "events");
    print_events(store, day, day > UINT64_MAX - DAY ? UINT64_MAX : day + DAY - 1, ESTORE_READ_FORWARD, 5);
    printf("\nThe newest of all, newest first:\n");
    print_events(store, 0, UINT64_MAX, ESTORE_READ_REVERSE, 5);
}

static uint64_t duration(const char *option, const char *text)
{
    uint64_t ns = 0;
    check(estore_duration_parse(text, strlen(text), &ns, &err), option);
    return ns;
}

int main(int argc, char **argv)
{
    const char *name = "/var/log/dpkg.log", *folder = NULL, *file_size = "30d", *grace = "1m";
    char temporary[] = "/tmp/estore-demo-XXXXXX";
    estore_options *options = estore_options_new();
    estore *store = NULL;
    struct timespec begin, end;
    uint64_t before = 0;
    double seconds;
    FILE *input;
    int option, right;
    size_t i;

    while ((option = getopt(argc, argv, "d:s:g:")) != -1) {
        switch (option) {
        case 'd':
            folder = optarg;
            break;
        case 's':
            file_size = optarg;
            break;
        case 'g':
            grace = optarg;
            break;
        default:
            fprintf(stderr, "usage: demo [-d DIR] [-s FILE_SIZE] [-g GRACE] [FILE or - for standard input]\n");
            return 2;
        }
    }
    if (optind < argc)
        name = argv[optind];
    if (strcmp(name, "-") == 0) {
        input = stdin;
        name = "standard input";
    } else if ((input = fopen(name, "r")) == NULL) {
        fail(name, "cannot be opened; name a file whose lines begin with a time, or - for standard input");
    }

    read_input(input, name);
    if (input != stdin)
        fclose(input);

    if (estore_options_set_file_size_ns(options, duration("-s", file_size)) != ESTORE_OK ||
        estore_options_set_grace_ns(options, duration("-g", grace)) != ESTORE_OK)
        fail("options", "not accepted");
    if (folder == NULL && mkdtemp(temporary) == NULL)
        fail(temporary, "cannot make a temporary folder");
    if (folder == NULL)
        check(estore_open(temporary, strlen(temporary), options, &store, &err), "open");
    else
        check(estore_open(folder, strlen(folder), options, &store, &err), "open");
    check(estore_count(store, 0, UINT64_MAX, &before, &err), "count");
    if (before > 0)
        fail(folder, "holds events already; the demo wants a fresh folder");

    clock_gettime(CLOCK_MONOTONIC, &begin);
    load(store);
    clock_gettime(CLOCK_MONOTONIC, &end);
    seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    if (line_count > 0)
        qsort(lines, line_count, sizeof *lines, by_time_then_arrival);

    printf("estore %s: %s events stored in %.3f seconds, in batches of %s\n\n", estore_version(), grouped(line_count), seconds,
           grouped(BATCH));
    show(store, name, file_size, grace);
    right = reads_as_sorted(store, ESTORE_READ_FORWARD) && reads_as_sorted(store, ESTORE_READ_REVERSE);
    if (line_count == 0)
        printf("\nNo line begins with a time, so there is nothing to look at.\n");
    else
        printf("\nChecked: reading everything, forwards and backwards, %s the %s events of the input, sorted by time.\n",
               right ? "gives exactly" : "DOES NOT GIVE", grouped(line_count));

    check(estore_close(&store, &err), "close");
    if (folder == NULL)
        check(estore_destroy(temporary, strlen(temporary), NULL, &err), "remove");
    else
        printf("The store is in %s\n", folder);
    estore_options_free(&options);
    for (i = 0; i < line_count; i++)
        free(lines[i].data);
    free(lines);
    return right ? 0 : 1;
}
