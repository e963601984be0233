/* Whatever goes wrong, the message names the file and the cause, in UTF-8 also where the path isn't. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The last message names both, and came with this error number of the system. */
static void names(const char *file, const char *cause, int os_errno)
{
    if (strstr(err.message, file) == NULL || strstr(err.message, cause) == NULL || err.os_errno != os_errno) {
        fprintf(stderr, "\"%s\" (%d) does not say %s, %s (%d)\n", err.message, (int)err.os_errno, file, cause, os_errno);
        exit(1);
    }
}

static int is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    int more;
    for (; *c != '\0'; c++) {
        if (*c < 0x80)
            continue;
        more = *c >= 0xC2 && *c <= 0xDF ? 1 : *c >= 0xE0 && *c <= 0xEF ? 2 : *c >= 0xF0 && *c <= 0xF4 ? 3 : 0;
        if (more == 0)
            return 0;
        for (; more > 0; more--)
            if ((*++c & 0xC0) != 0x80)
                return 0;
    }
    return 1;
}

static void make_file(const char *path)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fclose(file) == 0);
}

static void opening(void)
{
    estore_options *existing = estore_options_new();
    estore *store = NULL, *locked = open_store("locked", NULL);
    char name[32], path[400];

    OK(estore_options_set_mode(existing, ESTORE_MODE_EXISTING));
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_open("missing", 7, existing, &store, &err));
    names("missing", "nothing exists", ENOENT);
    CHECK(err.status == ESTORE_ERR_NOT_FOUND && err.offset == ESTORE_NO_OFFSET);
    make_file("a-file");
    ANSWERS(ESTORE_ERR_NOT_A_FOLDER, estore_open("a-file", 6, NULL, &store, &err));
    names("a-file", "not a folder", 0);
    CHECK(mkdir("foreign", 0777) == 0);
    make_file("foreign/precious");
    ANSWERS(ESTORE_ERR_FOREIGN_FILES, estore_open("foreign", 7, NULL, &store, &err));
    names("foreign", "precious", 0);
    ANSWERS(ESTORE_ERR_NOT_A_STORE, estore_open("foreign", 7, existing, &store, &err));
    names("foreign", "not a store", 0);
    sprintf(name, "process %ld", (long)getpid());
    ANSWERS(ESTORE_ERR_LOCKED, estore_open("locked", 6, NULL, &store, &err));
    names("locked", name, 0);
    OK(estore_options_set_mode(existing, ESTORE_MODE_CREATE_NEW));
    ANSWERS(ESTORE_ERR_EXISTS, estore_open("locked", 6, existing, &store, &err));
    names("locked", "already", 0);

    OK(estore_options_set_mode(existing, ESTORE_MODE_EXISTING));
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_open("no\xff\xc3(utf-8", 10, existing, &store, &err));
    names("(utf-8", "nothing exists", ENOENT);
    CHECK(is_utf8(err.message));
    /* A message that is cut ends with a whole character. */
    memset(path, '\xff', sizeof path);
    path[200] = '/';
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_open(path, sizeof path, existing, &store, &err));
    CHECK(is_utf8(err.message) && strlen(err.message) > ESTORE_ERROR_MESSAGE_LEN - 4);

    OK(estore_close(&locked, &err));
    OK(estore_options_free(&existing));
    CHECK(store == NULL);
}

static void damaged(void)
{
    enum { LOG_HEADER = 64, FRAME_HEADER = 64, SECOND_BODY = LOG_HEADER + FRAME_HEADER + 3 + FRAME_HEADER };
    estore *store = open_store("damaged", NULL);
    estore_iter *iter = NULL;
    estore_event event;
    estore_status status;
    FILE *file;

    append_text(store, 1, "one");
    append_text(store, 2, "two");
    file = fopen("damaged/0-0.estore", "r+b");
    CHECK(file != NULL && fseek(file, SECOND_BODY, SEEK_SET) == 0 && fputc('x', file) != EOF && fclose(file) == 0);
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));
    while ((status = estore_iter_next(iter, &event, &err)) == ESTORE_OK)
        continue;
    ANSWERS(ESTORE_ERR_CORRUPT, status);
    names("damaged/0-0.estore", "damaged at byte 131", 0);
    CHECK(err.offset == SECOND_BODY - FRAME_HEADER);
    OK(estore_iter_close(&iter, &err));
    OK(estore_close(&store, &err));
}

static void full_disk(void)
{
    static char much[1 << 20];
    estore *store = open_store("full", NULL);
    estore_event event = event_at(1, 1, "");
    struct rlimit limit, small;

    append_text(store, 1, "small");
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && getrlimit(RLIMIT_FSIZE, &limit) == 0);
    small = limit;
    small.rlim_cur = 100000;
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    event.data = (const uint8_t *)much;
    event.len = sizeof much;
    ANSWERS(ESTORE_ERR_NO_SPACE, estore_append(store, &event, 1, NULL, &err));
    names("full/0-0.estore", "no space left", EFBIG);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    OK(estore_append(store, &event, 1, NULL, &err)); /* nothing had changed, and now there is space */
    OK(estore_close(&store, &err));
}

/* Root has every permission, so a child gives up its own for this. It leaves by _exit, since leak checkers need them. */
static void permission(void)
{
    estore *store = NULL;
    pid_t pid;
    int status;

    CHECK(mkdir("closed", 0700) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0)
            CHECK(seteuid(65534) == 0);
        else
            CHECK(chmod("closed", 0) == 0);
        ANSWERS(ESTORE_ERR_PERMISSION, estore_open("closed/store", 12, NULL, &store, &err));
        names("closed/store", "permission", EACCES);
        CHECK(store == NULL);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
    opening();
    damaged();
    full_disk();
    permission();
    return 0;
}
