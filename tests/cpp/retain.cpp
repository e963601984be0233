// Retention: old chunks go by age and by size, on request, in a dry run, and by the options of the store.
#include "check.hpp"

#include <utility>

using estorepp::retain_options;

namespace {

void fill(estorepp::store &store)
{
    for (std::uint64_t chunk = 0; chunk < 10; chunk++)
        store.append({event(chunk * 1000 + 5, "early"), event(chunk * 1000 + 995, "late in its chunk")});
}

} // namespace

int main()
{
    auto small = std::move(options().file_size(1000ns).grace(10ns).background(false));
    auto store = estorepp::store::open("store", small);
    fill(store);
    store.append(event(18429000000000000000u, "a broken clock"));
    CHECK(store.retain().chunks == 0 && store.stats().horizon == 0);

    const auto before = store.stats();
    const auto would = store.retain(retain_options().max_age(7us).dry_run());
    CHECK(would.horizon == 2000 && would.chunks == 2 && would.events == 4 && would.bytes > 0);
    CHECK(store.stats().horizon == 0 && store.count() == 21);
    const auto did = store.retain(retain_options().max_age(7000));
    CHECK(did.horizon == would.horizon && did.chunks == would.chunks && did.events == would.events && did.bytes == would.bytes);
    const auto after = store.stats();
    CHECK(after.horizon == 2000 && after.removed_chunks == 2 && after.chunk_bytes == before.chunk_bytes - did.bytes);
    CHECK(store.retain(retain_options().max_bytes(1)).horizon == 9000 && store.stats().chunks == 2);
    CHECK(code_of([&] { (void)store.retain(retain_options().max_age(-1ns)); }) == errc::invalid);

    auto limited = estorepp::store::open("limited", small.max_age(3us).max_bytes(1 << 30));
    fill(limited);
    limited.tick();
    CHECK(limited.stats().horizon == 6000 && limited.stats().chunks == 4);
    CHECK(code_of([] { (void)options().max_age(-1s); }) == errc::invalid);
    CHECK(code_of([] { (void)estorepp::efile::open("file", options().max_bytes(1)); }) == errc::invalid);
    store.close();
    CHECK(code_of([&] { (void)store.retain(); }) == errc::closed);
    return 0;
}
