// Tails: a range that waits for what comes and ends with its store; step by step with timeouts and poll; gaps; cursors.
#include "check.hpp"

#include <poll.h>

#include <array>
#include <thread>
#include <vector>
#if __cplusplus >= 202002L
#include <ranges>
static_assert(std::ranges::input_range<estorepp::tail>);
#endif

static bool is_readable(int fd)
{
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, 0) == 1;
}

int main()
{
    auto store = estorepp::store::open("store", options().grace(1s));
    auto tail = store.tail(0);
    CHECK(tail.next() == nullptr && !tail.wait(0) && !tail.wait(1ms) && tail.last_seq() == 0);
    store.append({event(1000000000000, "a"), event(1000000000001, "b")});
    store.append(event(5, "late"));
    CHECK(tail.wait(1us) && tail.next()->text() == "a" && tail.last_seq() == 1);
    CHECK(tail.wait(0ns));
    tail.wait();
    std::array<event, 10> some;
    CHECK(tail.next_batch(some) == 2 && some[0].text() == "b" && some[1].text() == "late" && tail.last_seq() == 3);
    CHECK(tail.next_batch(some) == 0 && tail.next() == nullptr);

    // From a cursor on, in columns; what comes before a gap, then the gap, then what follows it.
    auto other = store.tail(1);
    estorepp::columns columns;
    CHECK(other.next_columns(columns) == 2 && columns.seqs == (std::vector<std::uint64_t>{2, 3}));
    store.append(event(6, "deleted"));
    store.append(event(1000000000002, "c"));
    store.delete_before(7);
    CHECK(throws<estorepp::gap_error>([&] { other.next(); }));
    CHECK(other.next()->text() == "c" && other.next() == nullptr);
    CHECK(code_of([&] { (void)tail.next(); }) == errc::gap);
    CHECK(tail.next()->text() == "c");

    // For event loops.
    const int fd = tail.fd();
    CHECK(is_readable(fd) && tail.next() == nullptr && !is_readable(fd) && tail.fd() == fd);
    store.append(event(1000000000003, "d"));
    CHECK(is_readable(fd) && tail.next()->text() == "d" && is_readable(fd) && tail.next() == nullptr && !is_readable(fd));

    // A loop waits, goes on where another has ended, and ends when the store is closed.
    const std::uint64_t many = 3 * estorepp::tail::batch_size;
    std::thread writer([&] {
        for (std::uint64_t i = 0; i < many; i++)
            store.append(event(1000000000004 + i, "x"));
        while (tail.native_handle() == nullptr || store.last_seq() < many + 6)
            ;
        store.close();
    });
    std::uint64_t seen = 0;
    for (const event &e : tail) {
        CHECK(e.text() == "x");
        if (++seen == 100)
            break;
    }
    for (const event &e : tail)
        CHECK(e.time == 1000000000004 + seen++);
    writer.join();
    CHECK(seen == many && tail.failure() == nullptr);
    CHECK(throws<estorepp::closed_error>([&] { tail.wait(); }));
    CHECK(throws<estorepp::closed_error>([&] { (void)store.tail(0); }));

    // Beside the writer, of an efile, and what is no cursor.
    auto file = estorepp::efile::open("file");
    auto beside = estorepp::efile::open("file", options().mode(estorepp::open_mode::read_only));
    auto follower = beside.tail(0);
    std::thread appender([&] { file.append(event(7, "seven")); });
    follower.wait();
    appender.join();
    CHECK(follower.next()->text() == "seven");
    CHECK(throws<estorepp::invalid_error>([&] { (void)file.tail(UINT64_MAX); }));
    CHECK(throws<estorepp::invalid_error>([&] { (void)follower.wait(-1s); }));
    follower.close();
    CHECK(throws<estorepp::closed_error>([&] { (void)follower.next(); }));
    return 0;
}
