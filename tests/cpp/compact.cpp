// Compaction gives the same events from one log; the function that is told how far it is may stop it and throw.
#include "check.hpp"

#include <stdexcept>

int main()
{
    auto store = estorepp::store::open("store", estorepp::options().grace(100ns).compaction(false));
    for (const std::uint64_t time : {1000u, 1001u, 5u, 1002u, 10u})
        store.append(event(time, std::to_string(time)));
    const auto before = texts(store.read());
    CHECK(store.stats().recon_events == 2 && store.stats().backlog_bytes == 0);

    int calls = 0;
    auto done = store.compact(0, estorepp::forever, [&](const estorepp::progress &) {
        calls++;
        return false;
    });
    CHECK(calls == 1 && done.bytes_before == 0 && done.bytes_after == 0);
    CHECK(throws<std::logic_error>([&] {
        (void)store.compact(0, estorepp::forever, [](const estorepp::progress &) { throw std::logic_error("enough"); });
    }));

    std::uint64_t last = 0;
    done = store.compact(0, estorepp::forever, [&](const estorepp::progress &progress) {
        CHECK(last <= progress.done && progress.done <= progress.events && progress.events == 5);
        last = progress.done;
    });
    CHECK(last == 5 && done.bytes_before > done.bytes_after && done.bytes_after == store.stats().log_bytes);
    CHECK(store.stats().recon_events == 0 && store.stats().late_events == 2);
    CHECK(texts(store.read()) == before && store.verify().damaged == 0);
    CHECK(store.compact().bytes_before == 0);
    CHECK(code_of([&] { (void)store.compact(2, 1); }) == estorepp::errc::range);

    auto file = estorepp::efile::open("file");
    file.append(event(7, "seven"));
    CHECK(file.compact().bytes_after > 0 && texts(file.read()) == "seven");
    return 0;
}
