/* The two structs that cross are frozen, byte by byte; every other language mirrors them. Statuses are constants that a switch takes.
 * This file is also compiled as C++. */
#include "check.h"

#include <stddef.h>

/* Refused by the compiler where it does not hold: _Static_assert is not in C99. */
#define HOLDS(name, condition) typedef char name[(condition) ? 1 : -1]

/* A member lies at this offset and has this size. */
#define LIES(type, member, offset, size)                                            \
    HOLDS(type##_##member##_offset, offsetof(type, member) == (offset));            \
    HOLDS(type##_##member##_size, sizeof(((type *)0)->member) == (size))

struct after_a_byte {
    char byte;
    estore_event event;
};

HOLDS(event_size, sizeof(estore_event) == 32);
HOLDS(event_alignment, offsetof(struct after_a_byte, event) == 8);
LIES(estore_event, time, 0, 8);
LIES(estore_event, seq, 8, 8);
LIES(estore_event, data, 16, 8);
LIES(estore_event, len, 24, 4);
LIES(estore_event, id, 28, 4);

HOLDS(error_size, sizeof(estore_error) == 512);
LIES(estore_error, status, 0, 4);
LIES(estore_error, os_errno, 4, 4);
LIES(estore_error, offset, 8, 8);
LIES(estore_error, message, 16, 496);

HOLDS(message_size, ESTORE_ERROR_MESSAGE_LEN == 496);
HOLDS(status_size, sizeof(estore_status) == 4);
HOLDS(version_is_one_number, ESTORE_VERSION_NUMBER == ESTORE_VERSION_MAJOR * 1000000 + ESTORE_VERSION_MINOR * 1000 + ESTORE_VERSION_PATCH);

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

    CHECK(fresh.status == ESTORE_OK && fresh.os_errno == 0 && fresh.offset == ESTORE_NO_OFFSET && fresh.message[0] == '\0');
    CHECK(strcmp(kind(ESTORE_ERR_RANGE), "mistake") == 0);
    CHECK(strcmp(kind(ESTORE_ERR_GONE), "error") == 0);
    CHECK(strcmp(estore_strerror(-1000), "unknown status") == 0);

    CHECK(estore_version_number() == ESTORE_VERSION_NUMBER);
    CHECK(strlen(estore_version()) >= 5);
    return 0;
}
