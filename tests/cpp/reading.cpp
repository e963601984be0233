// Readers: loops with batches beneath, step by step, batch by batch, all three mixed; directions and limits; snapshots.
#include "check.hpp"

#include <array>
#include <vector>
#if __cplusplus >= 202002L
#include <ranges>
static_assert(std::ranges::input_range<estorepp::reader>);
#endif

int main()
{
    auto store = estorepp::store::open("store");
    CHECK(texts(store.read()).empty());

    // More than a loop asks for at a time.
    constexpr std::uint64_t many = 3 * estorepp::reader::batch_size + 5;
    std::vector<event> batch;
    for (std::uint64_t i = 0; i < many; i++)
        batch.emplace_back(i, "x");
    store.append(batch);
    std::uint64_t expected = 0;
    for (const event &e : store.read())
        CHECK(e.time == expected++);
    CHECK(expected == many);

    // A loop that was left goes on with the next event, and so do the other ways to read.
    auto mixed = store.read();
    for (const event &e : mixed)
        if (e.time == 9)
            break;
    for (const event &e : mixed) {
        CHECK(e.time == 10);
        break;
    }
    CHECK(mixed.next()->time == 11);
    std::array<event, 100> some;
    CHECK(mixed.next_batch(some) == 100 && some[0].time == 12 && some[99].time == 111 && some[99].text() == "x");
    expected = 112;
    std::vector<event> others(7);
    while (const std::size_t n = mixed.next_batch(others))
        for (const event &e : estorepp::view<event>(others.data(), n))
            CHECK(e.time == expected++);
    CHECK(expected == many && mixed.next() == nullptr && mixed.begin() == mixed.end() && mixed.next_batch(some) == 0);
    CHECK(code_of([&] { mixed.next_batch({}); }) == errc::invalid);

    // Directions and limits.
    CHECK(store.read(read_options().reverse()).next()->time == many - 1);
    const auto times = [&](std::uint64_t from, std::uint64_t to, read_options how) {
        std::vector<std::uint64_t> all;
        for (const event &e : store.read(from, to, how))
            all.push_back(e.time);
        return all;
    };
    using list = std::vector<std::uint64_t>;
    CHECK(times(10, 20, read_options().limit(2)) == (list{10, 11}));
    CHECK(times(10, 20, read_options().reverse().limit(2)) == (list{20, 19}));
    CHECK(times(10, 20, read_options().last(2)) == (list{19, 20}));
    CHECK(times(10, 20, read_options().last(2).reverse()) == (list{20, 19}));
    CHECK(times(10, 11, read_options()) == (list{10, 11}));
    CHECK(code_of([&] { (void)store.read(2, 1); }) == errc::range);
    CHECK(code_of([&] { (void)store.read(read_options().last(0)); }) == errc::invalid);

    // A reader shows the moment at which it was made, whatever comes later, even the end of its store.
    auto before = store.read();
    const std::uint64_t seq = store.last_seq();
    store.append(event(3, "late"));
    CHECK(before.snapshot_seq() == seq && store.last_seq() > seq);
    store.close();
    std::uint64_t n = 0;
    for (auto it = before.begin(); it != before.end(); ++it)
        n += it->len;
    CHECK(n == many);

    // Columns: what a loop has fetched first, then the rest; larger data than they had room for; the same object again and again.
    auto other = estorepp::store::open("columns");
    const std::string large(1000000, 'y');
    batch.emplace_back(many, large);
    batch.emplace_back(many + 1, "");
    other.append(batch);
    auto by_columns = other.read();
    CHECK(by_columns.next()->time == 0);
    estorepp::columns columns;
    expected = 1;
    for (std::size_t max = 5; by_columns.next_columns(columns, max) > 0; max = 100)
        for (std::size_t i = 0; i < columns.size(); i++) {
            const auto data = columns.data_of(i);
            CHECK(columns.times[i] == expected && columns.seqs[i] > 0 && columns.ids.size() == columns.size());
            CHECK(data.size() == (expected < many ? 1 : expected == many ? large.size() : 0) && (data.empty() || data[data.size() - 1] != 0));
            expected++;
        }
    CHECK(expected == many + 2 && columns.empty() && columns.data.empty() && columns.offsets.size() == 1);
    CHECK(by_columns.next() == nullptr && by_columns.next_columns(columns) == 0);
    CHECK(code_of([&] { by_columns.next_columns(columns, 0); }) == errc::invalid);
}
