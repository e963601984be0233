/* Opens the library as a language without a linker does: by name, each function by its name. Given: the path of libestore.so.1. */
#include <estore.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *library;

static void *function(const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return found;
}

#define CHECK(condition)                                          \
    do {                                                          \
        if (!(condition)) {                                       \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            return 1;                                             \
        }                                                         \
    } while (0)

int main(int count, char **words)
{
    estore_status (*open)(const char *, size_t, const estore_options *, estore **, estore_error *);
    estore_status (*append)(estore *, const estore_event *, size_t, uint64_t *, estore_error *);
    estore_status (*counting)(const estore *, uint64_t, uint64_t, uint64_t *, estore_error *);
    estore_status (*closing)(estore **, estore_error *);
    uint32_t (*version)(void);
    estore *store = NULL;
    estore_event event = { 1000, 0, (const uint8_t *)"data", 4, 1 };
    uint64_t n = 0;

    CHECK(count == 2);
    library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    *(void **)&open = function("estore_open");
    *(void **)&append = function("estore_append");
    *(void **)&counting = function("estore_count");
    *(void **)&closing = function("estore_close");
    *(void **)&version = function("estore_version_number");

    CHECK(version() == ESTORE_VERSION_NUMBER);
    CHECK(open("store", 5, NULL, &store, NULL) == ESTORE_OK);
    CHECK(append(store, &event, 1, NULL, NULL) == ESTORE_OK);
    CHECK(counting(store, 0, UINT64_MAX, &n, NULL) == ESTORE_OK && n == 1);

    /* Somebody closes the library while a store, and with it a thread of the library, is there: it stays. */
    CHECK(dlclose(library) == 0);
    library = dlopen(words[1], RTLD_NOW | RTLD_NOLOAD);
    CHECK(library != NULL);
    CHECK(closing(&store, NULL) == ESTORE_OK && store == NULL);
    return 0;
}
