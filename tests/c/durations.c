/* Durations as people type them. The length counts, not a NUL. */
#include "check.h"

static uint64_t parse(const char *text)
{
    uint64_t ns = 0;
    OK(estore_duration_parse(text, strlen(text), &ns, &err));
    return ns;
}

int main(void)
{
    static const char *nonsense[] = {"", " ", "5", "s", "0s", "-1s", "1.5s", "1x", "99999999999999999999d", "1s\xff"};
    uint64_t ns = 7;
    size_t i;

    CHECK(parse("1ns") == 1);
    CHECK(parse("500ms") == SECOND / 2);
    CHECK(parse("30s") == 30 * SECOND);
    CHECK(parse("1d") == DAY);
    CHECK(parse("2w") == 14 * DAY);
    CHECK(parse(" 1h 30m ") == 5400 * SECOND);

    OK(estore_duration_parse("10sXYZ", 3, &ns, &err));
    CHECK(ns == 10 * SECOND);
    ns = 7;
    for (i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
        ANSWERS(ESTORE_ERR_INVALID, estore_duration_parse(nonsense[i], strlen(nonsense[i]), &ns, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_duration_parse("1s", 2, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_duration_parse(NULL, 2, &ns, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_duration_parse("1s\0", 3, &ns, &err));
    CHECK(ns == 7);

    ANSWERS(ESTORE_ERR_INVALID, estore_duration_parse("1 fortnight", 11, &ns, &err));
    CHECK(err.status == ESTORE_ERR_INVALID && strstr(err.message, "fortnight") != NULL);
    return 0;
}
