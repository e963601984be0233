/* A handle of another kind is refused by every function and stays as it was: casts in foreign languages do go wrong. */
#include "check.h"

int main(void)
{
    estore *store = open_store("store", NULL);
    efile *file = NULL;
    estore_iter *iter = NULL;
    estore_options *options = estore_options_new();
    void *wrong;
    uint64_t n = 7;
    estore_event event = event_at(1, 1, "a");
    estore_iter *none = NULL;

    OK(efile_open("efile", 5, NULL, &file, &err));
    OK(estore_read_iter(store, 0, UINT64_MAX, ESTORE_READ_FORWARD, 0, &iter, &err));

    ANSWERS(ESTORE_ERR_INVALID, estore_append((estore *)(void *)file, &event, 1, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, efile_append((efile *)(void *)store, &event, 1, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_count((estore *)(void *)iter, 0, 1, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_sync((estore *)(void *)options, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, efile_read_iter((efile *)(void *)iter, 0, 1, 0, 0, &none, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_next((estore_iter *)(void *)store, &event, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_set_grace_ns((estore_options *)(void *)store, 1));
    ANSWERS(ESTORE_ERR_INVALID, estore_open("other", 5, (estore_options *)(void *)file, &store, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_exchange_reply((estore_exchange *)(void *)store, NULL, 0, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_export_snapshot_seq((estore_export *)(void *)iter, &n, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_bytes_view((estore_bytes *)(void *)options, NULL, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_repair(store, (estore *)(void *)file, 0, 1, 0, NULL, NULL, NULL, NULL, 0, NULL, &err));
    ANSWERS(ESTORE_ERR_INVALID, efile_repair((efile *)(void *)store, file, 0, 1, 0, NULL, NULL, NULL, NULL, 0, NULL, &err));
    CHECK(n == 7 && none == NULL);

    wrong = file;
    ANSWERS(ESTORE_ERR_INVALID, estore_close((estore **)&wrong, &err));
    CHECK(wrong == (void *)file);
    wrong = store;
    ANSWERS(ESTORE_ERR_INVALID, estore_iter_close((estore_iter **)&wrong, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_options_free((estore_options **)&wrong));
    ANSWERS(ESTORE_ERR_INVALID, estore_bytes_free((estore_bytes **)&wrong));
    ANSWERS(ESTORE_ERR_INVALID, estore_exchange_close((estore_exchange **)&wrong, &err));
    ANSWERS(ESTORE_ERR_INVALID, estore_export_close((estore_export **)&wrong, &err));
    CHECK(wrong == (void *)store);

    /* Nothing came to harm. */
    append_text(store, 1, "a");
    OK(efile_append(file, &event, 1, NULL, &err));
    OK(estore_iter_close(&iter, &err));
    OK(efile_close(&file, &err));
    OK(estore_close(&store, &err));
    OK(estore_options_free(&options));
    return 0;
}
