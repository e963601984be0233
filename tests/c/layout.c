/* The two structs that cross are frozen, byte by byte; every other language mirrors them. Statuses are constants that a switch takes.
 * This file is also compiled as C++. */
#include "check.h"

#include <stddef.h>

static const char *kind(estore_status status)
{
    switch (status) {
    case ESTORE_OK:
        return "fine";
    case ESTORE_END:
    case ESTORE_TIMEOUT:
    case ESTORE_GAP:
        return "outcome";
    case ESTORE_ERR_INVALID:
    case ESTORE_ERR_RANGE:
        return "mistake";
    default:
        return status < 0 ? "error" : "outcome";
    }
}

int main(void)
{
    estore_error fresh = ESTORE_ERROR_INIT;

    if (sizeof(void *) == 8) {
        CHECK(sizeof(estore_event) == 32);
        CHECK(offsetof(estore_event, time) == 0);
        CHECK(offsetof(estore_event, seq) == 8);
        CHECK(offsetof(estore_event, data) == 16);
        CHECK(offsetof(estore_event, len) == 24);
        CHECK(offsetof(estore_event, id) == 28);
    }
    CHECK(sizeof(estore_error) == 512);
    CHECK(offsetof(estore_error, status) == 0);
    CHECK(offsetof(estore_error, os_errno) == 4);
    CHECK(offsetof(estore_error, offset) == 8);
    CHECK(offsetof(estore_error, message) == 16);
    CHECK(sizeof fresh.message == 496 && sizeof fresh.message == ESTORE_ERROR_MESSAGE_LEN);
    CHECK(sizeof(estore_status) == 4);

    CHECK(fresh.status == ESTORE_OK && fresh.os_errno == 0 && fresh.offset == ESTORE_NO_OFFSET && fresh.message[0] == '\0');
    CHECK(strcmp(kind(ESTORE_ERR_RANGE), "mistake") == 0);
    CHECK(strcmp(kind(ESTORE_ERR_GONE), "error") == 0);
    CHECK(strcmp(estore_strerror(-1000), "unknown status") == 0);

    CHECK(estore_version_number() == ESTORE_VERSION_NUMBER);
    CHECK(ESTORE_VERSION_NUMBER == ESTORE_VERSION_MAJOR * 1000000 + ESTORE_VERSION_MINOR * 1000 + ESTORE_VERSION_PATCH);
    CHECK(strlen(estore_version()) >= 5);
    return 0;
}
