// Times and durations of std::chrono go in and out; what does not fit is refused by the function that it is given to.
#include "check.hpp"

#include <chrono>
#include <limits>
#include <ratio>

using std::chrono::system_clock;
using minutes = std::chrono::time_point<system_clock, std::chrono::minutes>;
using years = std::chrono::duration<std::int64_t, std::ratio<31556952>>;

// What a time or duration becomes; the largest number if it does not fit.
template <class T>
constexpr std::uint64_t ns(T time)
{
    const estorepp::duration d(time);
    return d.fits() ? d.ns() : std::numeric_limits<std::uint64_t>::max();
}
constexpr auto unfit = std::numeric_limits<std::uint64_t>::max();

static_assert(ns(0) == 0 && ns(7u) == 7 && ns(7ull) == 7 && ns(-1) == unfit && ns(-1s) == unfit);
static_assert(ns(2us) == 2000 && ns(1h) == 3600000000000 && ns(1500ms) == 1500000000);
static_assert(ns(std::chrono::duration<int, std::pico>(1999)) == 1);
static_assert(ns(std::chrono::duration<int, std::ratio<1, 60>>(90)) == 1500000000); // frames
static_assert(ns(years(584)) == 584 * 31556952000000000u && ns(years(585)) == unfit);
static_assert(ns(years::max()) == unfit && ns(years::min()) == unfit);
static_assert(ns(std::chrono::duration<std::uint64_t, std::nano>(unfit - 1)) == unfit - 1);
static_assert(ns(std::chrono::duration<double>(0.5)) == 500000000 && ns(std::chrono::duration<double>(1e11)) == unfit);
static_assert(ns(std::chrono::duration<float>(-1)) == unfit);

int main()
{
    auto store = estorepp::store::open("store", options().grace(std::chrono::minutes(2)).file_size(12h));
    CHECK(store.stats().grace_ns == 120000000000 && store.stats().file_size_ns == 43200000000000);

    const auto noon = minutes(std::chrono::minutes(28334160));
    store.append({event::at(noon + 2s, "c"), event::at(noon, "a"), event::at(noon + 1s, "b"), event::at(5, "at 5 ns")});
    CHECK(texts(store.read(noon, noon + 1s)) == "a b");
    CHECK(texts(store.read(0, noon)) == "at 5 ns a");
    CHECK(store.count(noon + 1ns) == 2);
    for (const event &e : store.read(noon, noon))
        CHECK(e.time == 1700049600000000000 && e.when() == noon);
    store.delete_before(noon);
    CHECK(texts(store.read()) == "a b c");

    // What happens now.
    const auto before = system_clock::now();
    store.append(event::now("now"));
    const auto after = system_clock::now();
    CHECK(texts(store.read(before, after)) == "now");
    CHECK(estorepp::now() >= static_cast<std::uint64_t>(before.time_since_epoch().count()));

    // Before 1970, after 2262, and what is no number.
    CHECK(ns(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())) == unfit);
    const auto moon = system_clock::time_point(-14182940s);
    CHECK(code_of([&] { (void)event::at(moon, ""); }) == errc::invalid);
    CHECK(code_of([&] { (void)store.read(moon); }) == errc::invalid);
    CHECK(code_of([&] { (void)store.read(0, -1); }) == errc::invalid);
    CHECK(code_of([&] { (void)store.count(moon, noon); }) == errc::invalid);
    CHECK(code_of([&] { (void)store.splits(0, moon); }) == errc::invalid);
    CHECK(code_of([&] { store.delete_before(moon); }) == errc::invalid);
    CHECK(code_of([&] { options().grace(-1s); }) == errc::invalid);
    CHECK(code_of([&] { options().file_size(years(600)); }) == errc::invalid);
    CHECK(code_of([&] { (void)event(UINT64_MAX, "").when(); }) == errc::invalid);
    CHECK(estorepp::to_time_point(0) == system_clock::time_point());
    CHECK(texts(store.read()) == "a b c now");

    // As people type them.
    CHECK(estorepp::parse_duration("1h30m") == 90min);
    CHECK(code_of([] { (void)estorepp::parse_duration("soon"); }) == errc::invalid);
    CHECK(code_of([] { (void)estorepp::parse_duration(""); }) == errc::invalid);
    CHECK(code_of([] { (void)estorepp::parse_duration("300000d"); }) == errc::invalid);
    CHECK(code_of([] { (void)estorepp::parse_duration("200000d"); }) == errc::invalid); // fits the library, not std::chrono
    CHECK(estorepp::parse_duration("100000d") == 2400000h);
}
