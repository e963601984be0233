// Compression: the same events from fewer bytes, read with no option; and back.
#include "check.hpp"

using estorepp::compression_kind;

int main()
{
    options small;
    small.file_size(10000).compaction(false);
    auto store = estorepp::store::open("store", small);
    for (std::uint64_t i = 0; i < 2000; i++)
        store.append(event(i, "INFO request " + std::to_string(i) + ": GET /api/v1/items/" + std::to_string(i % 90)));
    const auto before = texts(store.read());
    const auto plain = store.compact().bytes_after;
    store.close();

    store = estorepp::store::open("store", small.compression(compression_kind::lz4));
    const auto done = store.compact();
    CHECK(done.bytes_before == plain && done.bytes_after < plain / 2 && store.stats().log_bytes == done.bytes_after);
    CHECK(store.compact().bytes_before == 0);
    CHECK(texts(store.read()) == before && store.verify().damaged == 0);
    store.close();
    CHECK(texts(estorepp::store::open("store").read()) == before);

    store = estorepp::store::open("store", small.compression(compression_kind::none));
    CHECK(store.compact().bytes_after == plain && texts(store.read()) == before);
    CHECK(code_of([&] { (void)small.compression(static_cast<compression_kind>(9)); }) == errc::invalid);
    return 0;
}
