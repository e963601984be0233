/* What can't be opened is refused with a status and a message that names the path. Paths are bytes with a length. */
#include "check.h"

#include <errno.h>
#include <sys/stat.h>

static void touch(const char *path)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fclose(file) == 0);
}

static int exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

int main(void)
{
    estore_options *options = estore_options_new();
    estore *store = NULL;
    static char long_path[10000];
    const char *odd_paths[] = {" ", " with spaces ", "two\nlines\n", "tab\tand \\ and \"", "%s%n", "-rf", "\xc3\xa4\xe2\x82\xac",
                               "\xed\xa0\x80\xfe", "trailing/"};
    size_t i;

    ANSWERS(ESTORE_ERR_INVALID, estore_open("", 0, NULL, &store, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_open(NULL, 5, NULL, &store, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_open("a\0b", 3, NULL, &store, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_open("a", 2, NULL, &store, &err)); /* the NUL is no part of the length */
    ANSWERS(ESTORE_ERR_INVALID, estore_destroy("a\0b", 3, NULL, &err));

    /* Too long for the file system, and too long for any path. */
    memset(long_path, 'x', sizeof long_path);
    ANSWERS(ESTORE_ERR_IO, estore_open(long_path, 300, NULL, &store, &err));
    CHECK(err.os_errno == ENAMETOOLONG && strstr(err.message, "xxx") != NULL);
    ANSWERS(ESTORE_ERR_INVALID, estore_open(long_path, sizeof long_path, NULL, &store, &err));

    touch("a-file");
    ANSWERS(ESTORE_ERR_NOT_A_FOLDER, estore_open("a-file", 6, NULL, &store, &err));
    CHECK(strstr(err.message, "a-file") != NULL);
    ANSWERS(ESTORE_ERR_NOT_A_FOLDER, estore_destroy("a-file", 6, NULL, &err));

    CHECK(mkdir("foreign", 0777) == 0);
    touch("foreign/precious");
    ANSWERS(ESTORE_ERR_FOREIGN_FILES, estore_open("foreign", 7, NULL, &store, &err));
    CHECK(strstr(err.message, "precious") != NULL);
    ANSWERS(ESTORE_ERR_NOT_A_STORE, estore_destroy("foreign", 7, NULL, &err));

    OK(estore_options_set_mode(options, ESTORE_MODE_EXISTING));
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_open("nothing", 7, options, &store, &err));
    CHECK(err.os_errno == ENOENT && err.offset == ESTORE_NO_OFFSET);
    ANSWERS(ESTORE_ERR_NOT_A_STORE, estore_open("foreign", 7, options, &store, &err));
    OK(estore_options_set_mode(options, ESTORE_MODE_READ_ONLY));
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_open("nothing", 7, options, &store, &err));
    ANSWERS(ESTORE_ERR_NOT_FOUND, estore_destroy("nothing", 7, NULL, &err));
    CHECK(store == NULL);

    /* Only the length counts; any byte but NUL may stand in a path, UTF-8 or not. */
    OK(estore_open("here\xff or there", 5, NULL, &store, &err));
    OK(estore_close(&store, &err));
    CHECK(exists("here\xff"));
    OK(estore_destroy("here\xff", 5, NULL, &err));
    CHECK(!exists("here\xff"));
    for (i = 0; i < sizeof odd_paths / sizeof *odd_paths; i++) {
        store = open_store(odd_paths[i], NULL);
        append_text(store, 1, "a");
        CHECK(exists(odd_paths[i]));
        CHECK(strcmp(read_data(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0), "a") == 0);
        OK(estore_close(&store, &err));
        OK(estore_destroy(odd_paths[i], strlen(odd_paths[i]), NULL, &err));
        CHECK(!exists(odd_paths[i]));
    }
    OK(estore_options_free(&options));
    return 0;
}
