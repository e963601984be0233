// What a store tells of itself: stats by name, seqs, versions; splits that cover a range; repeats that are left out.
#include "check.hpp"

#include <vector>

int main()
{
    auto store = estorepp::store::open("store", options().file_size(10).grace(2).background(false));
    std::vector<event> batch;
    for (std::uint64_t i = 0; i < 40; i++)
        batch.emplace_back(i, "x");
    CHECK(store.append(batch) == 40);
    store.append(event(31, "late"));

    const auto stats = store.stats();
    CHECK(stats.file_size_ns == 10 && stats.grace_ns == 2 && stats.chunks == 4 && stats.events == 41 && stats.late_events == 1);
    CHECK(stats.oldest == 0 && stats.newest == 39 && stats.last_seq == 41 && stats.log_bytes > 41 && stats.damaged_regions == 0);
    const auto named = store.named_stats();
    CHECK(named.size() >= ESTORE_STAT_COUNT && named[ESTORE_STAT_EVENTS].first == "events" && named[ESTORE_STAT_EVENTS].second == 41);

    CHECK(store.last_seq() == 41 && store.sync() == 41 && store.durable_seq() == 41);
    store.tick();

    // Only what is not there yet is stored, and of a batch that repeats itself only once.
    const auto again = store.append_absent(batch);
    CHECK(again.stored == 0 && again.present == 40 && again.expired == 0 && again.last_seq == 41);
    CHECK(store.append_absent({event(5, "y"), event(5, "y"), event(5, "x")}).stored == 1);
    CHECK(store.append_absent(event(5, "y")).present == 1);
    CHECK(store.append_absent(event(5, "y", 1)).stored == 1);

    const auto pieces = store.splits(5, 34);
    CHECK(pieces.size() == 4 && pieces.front().first == 5 && pieces.front().last == 9);
    CHECK(pieces.back().first == 30 && pieces.back().last == 34);
    std::uint64_t sum = 0;
    for (const auto &piece : pieces)
        sum += store.count(piece.first, piece.last);
    CHECK(sum == store.count(5, 34));
    CHECK(store.splits(7, 7).size() == 1 && store.splits(0, 39, 4).size() == 4);
    CHECK(code_of([&] { (void)store.splits(0, 39, 3); }) == errc::invalid);
    CHECK(code_of([&] { (void)store.splits(0, estorepp::forever); }) == errc::invalid);
    CHECK(code_of([&] { (void)store.splits(2, 1); }) == errc::range);

    store.delete_before(15);
    CHECK(store.read().next()->time == 15 && store.stats().horizon == 15);
    CHECK(store.append_absent({event(14, "x"), event(15, "x"), event(16, "z")}).expired == 1);

    CHECK(estorepp::version() == estore_version() && estorepp::version_number() == ESTORE_VERSION_NUMBER);
}
