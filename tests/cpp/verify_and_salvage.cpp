// Damage is found, located and passed by; the functions that are told of it may stop, throw, and call the store.
#include "check.hpp"

#include <stdexcept>

int main()
{
    // A log begins with 64 bytes; each of these events takes a frame of 64 bytes and its data.
    constexpr std::uint64_t header = 64, frame = 64 + 3;
    auto store = estorepp::store::open("store");
    for (const char *text : {"one", "two", "six", "ten"})
        store.append(event(store.last_seq() * 10, text));
    CHECK(store.verify().events == 4 && store.verify().damaged == 0);
    flip("store/0-0.estore", header + frame + 64);
    flip("store/0-0.estore", header + 2 * frame + 64);

    int calls = 0;
    const auto all = store.verify([&](const estorepp::finding &found) {
        calls++;
        CHECK(found.kind == estorepp::finding_kind::damage && found.path == "store/0-0.estore" && !found.what.empty());
        CHECK(found.offset == header + static_cast<std::uint64_t>(calls) * frame && found.len == frame);
        CHECK(store.last_seq() == 4);
    });
    CHECK(calls == 2 && all.events == 2 && all.damaged == 2);

    // False ends the walk, and so does an exception, which comes out here.
    calls = 0;
    CHECK(store.verify([&](const estorepp::finding &) { return ++calls < 1; }).damaged == 1 && calls == 1);
    calls = 0;
    CHECK(throws<std::logic_error>([&] {
        (void)store.verify([&](const estorepp::finding &) {
            calls++;
            throw std::logic_error("enough");
        });
    }));
    CHECK(calls == 1 && store.verify().damaged == 2);

    // An ordinary read fails at the damage and names its place.
    try {
        (void)texts(store.read());
        CHECK(false);
    } catch (const estorepp::corrupt_error &e) {
        CHECK(e.offset() == header + frame && std::string(e.what()).find("0-0.estore") != std::string::npos);
    }

    // A salvaging one gives all the rest, and says what is missing.
    auto salvaged = store.read(read_options().salvage());
    std::string rest;
    for (const event &e : salvaged)
        rest += e.text();
    CHECK(rest == "oneten" && salvaged.gaps() == 2);
    std::uint64_t bytes = 0;
    CHECK(salvaged.gaps([&](const estorepp::gap &left) {
        CHECK(left.path == "store/0-0.estore" && !left.what.empty() && left.offset >= header + frame);
        CHECK(left.times.first == left.times.last && left.times.first % 10 == 0);
        bytes += left.len;
    }) == 2);
    CHECK(bytes == 2 * frame);
    calls = 0;
    CHECK(throws<int>([&] {
        (void)salvaged.gaps([&](const estorepp::gap &) {
            calls++;
            throw 7;
        });
    }));
    CHECK(calls == 1);
}
