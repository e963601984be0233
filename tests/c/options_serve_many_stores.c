/* Of what is set twice the last counts. One set of options opens any number of stores, each as the options were in that moment: to change or
 * free them changes nothing for a store that is open. */
#include "check.h"

static void count_calls(void *userdata, int32_t level, const char *message, size_t len)
{
    (void)level, (void)message, (void)len;
    ++*(int *)userdata;
}

static uint64_t stat_of(const estore *store, size_t index)
{
    uint64_t values[ESTORE_STAT_COUNT];
    size_t n = 0;
    OK(estore_stats(store, values, ESTORE_STAT_COUNT, &n, &err));
    return values[index];
}

/* Makes a message: a chunk is deleted. */
static void be_heard(estore *store)
{
    append_text(store, 1, "a");
    append_text(store, DAY, "b");
    OK(estore_delete_before(store, DAY, &err));
}

int main(void)
{
    estore_options *options = estore_options_new();
    estore *one, *two, *three = NULL;
    estore_event event = event_at(2 * DAY, 1, "12345678");
    int nobody = 0, first = 0, second = 0, before;

    OK(estore_options_set_file_size_ns(options, 3600 * SECOND));
    OK(estore_options_set_file_size_ns(options, DAY));
    OK(estore_options_set_grace_ns(options, 7));
    OK(estore_options_set_grace_ns(options, 5));
    OK(estore_options_set_mode(options, ESTORE_MODE_EXISTING));
    OK(estore_options_set_mode(options, ESTORE_MODE_CREATE_NEW));
    OK(estore_options_set_max_event_len(options, 0));
    OK(estore_options_set_max_event_len(options, 7));
    OK(estore_options_set_durability(options, ESTORE_DURABILITY_BUFFERED, 0));
    OK(estore_options_set_durability(options, ESTORE_DURABILITY_POWER, 0));
    OK(estore_options_set_log(options, count_calls, &nobody));
    OK(estore_options_set_log(options, count_calls, &first));
    one = open_store("one", options);
    CHECK(stat_of(one, ESTORE_STAT_FILE_SIZE_NS) == DAY && stat_of(one, ESTORE_STAT_GRACE_NS) == 5);

    /* The same for another store, then otherwise. */
    two = open_store("two", options);
    CHECK(stat_of(two, ESTORE_STAT_GRACE_NS) == 5);
    OK(estore_close(&two, &err));
    OK(estore_options_set_mode(options, ESTORE_MODE_CREATE_IF_MISSING));
    OK(estore_options_set_max_event_len(options, 8));
    OK(estore_options_set_log(options, count_calls, &second));
    two = open_store("two", options);

    ANSWERS(ESTORE_ERR_TOO_LARGE, estore_append(one, &event, 1, NULL, &err));
    OK(estore_append(two, &event, 1, NULL, &err));
    before = second;
    be_heard(one);
    CHECK(first > 0 && second == before);
    CHECK(stat_of(one, ESTORE_STAT_DURABLE_SEQ) == stat_of(one, ESTORE_STAT_LAST_SEQ));
    before = first;
    be_heard(two);
    CHECK(second > 0 && first == before);

    /* Opening that fails leaves the options as they were. */
    OK(estore_options_set_mode(options, ESTORE_MODE_CREATE_NEW));
    ANSWERS(ESTORE_ERR_EXISTS, estore_open("one", 3, options, &three, &err));
    OK(estore_open("three", 5, options, &three, &err));
    OK(estore_options_free(&options));

    be_heard(three);
    ANSWERS(ESTORE_ERR_TOO_LARGE, estore_append(one, &event, 1, NULL, &err));
    CHECK(nobody == 0);
    OK(estore_close(&one, &err));
    OK(estore_close(&two, &err));
    OK(estore_close(&three, &err));
    return 0;
}
