// Options are strung together, each is checked as it is set, and one that is refused changes nothing.
#include "check.hpp"

using estorepp::durability_level;
using estorepp::open_mode;

int main()
{
    options all;
    all.mode(open_mode::create_new)
        .durability(durability_level::buffered)
        .buffer(1 << 16, 100ms)
        .file_size(1h)
        .grace(0)
        .max_event_len(100)
        .max_new_chunks(10)
        .max_open_logs(4)
        .index(false)
        .background(false)
        .log([](estorepp::log_level, std::string_view) {});
    auto store = estorepp::store::open("store", all);
    store.append(event(1, "a"));
    CHECK(store.stats().file_size_ns == 3600000000000 && store.stats().grace_ns == 0);

    // The same options again; what was made with others is not opened.
    auto second = estorepp::store::open("second", all);
    store.close();
    CHECK(code_of([] { (void)estorepp::store::open("store", options().file_size(2h)); }) == errc::settings);

    CHECK(code_of([&] { all.mode(static_cast<open_mode>(9)); }) == errc::invalid);
    CHECK(code_of([&] { all.durability(static_cast<durability_level>(-1)); }) == errc::invalid);
    CHECK(code_of([&] { all.durability(durability_level::interval, 0); }) == errc::invalid);
    CHECK(code_of([&] { all.file_size(0); }) == errc::invalid);
    CHECK(code_of([&] { all.max_event_len(UINT32_MAX); }) == errc::invalid);
    CHECK(code_of([&] { all.max_new_chunks(0); }) == errc::invalid);
    CHECK(code_of([&] { all.max_open_logs(0); }) == errc::invalid);
    CHECK(code_of([&] { all.buffer(0); }) == errc::invalid);
    try {
        all.file_size(0);
    } catch (const estorepp::invalid_error &e) {
        CHECK(std::string(e.what()).find("file_size") != std::string::npos);
    }
    CHECK(estorepp::store::open("third", all).stats().file_size_ns == 3600000000000);

    // For each kind of durability: nothing is lost by closing.
    for (const auto level : {durability_level::buffered, durability_level::process, durability_level::interval, durability_level::power}) {
        estorepp::store::destroy("third", options());
        auto third = estorepp::store::open("third", options().durability(level));
        third.append(event(1, "a"));
        CHECK(level != durability_level::power || third.durable_seq() == 1);
        third.close();
        CHECK(texts(estorepp::store::open("third", options().mode(open_mode::read_only)).read()) == "a");
    }
}
