/* estore_event_init makes an event out of data alone: time now, a fresh id. */
#include "check.h"

int main(void)
{
    static const uint8_t data[] = {0, 1, 2, 255};
    estore_event event, other;
    uint64_t before = estore_now();

    OK(estore_event_init(&event, data, sizeof data));
    CHECK(event.time >= before && event.time <= estore_now());
    CHECK(event.seq == 0 && event.data == data && event.len == 4);

    OK(estore_event_init(&other, NULL, 0));
    CHECK(other.len == 0);
    CHECK(event.id != other.id || estore_event_id() != estore_event_id()); /* chance: 1 in 2^64 */

    ANSWERS(ESTORE_ERR_INVALID, estore_event_init(NULL, data, 1));
    ANSWERS(ESTORE_ERR_INVALID, estore_event_init(&event, NULL, 1));
    if (sizeof(size_t) > 4)
        ANSWERS(ESTORE_ERR_TOO_LARGE, estore_event_init(&event, data, (size_t)UINT32_MAX + 1));
    CHECK(event.data == data && event.len == 4); /* untouched by what failed */
    return 0;
}
