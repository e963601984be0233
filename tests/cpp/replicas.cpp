// Stores are compared, repaired in one process and by messages, and copied by parcels; functions of the caller may stop a repair and throw.
#include "check.hpp"

#include <stdexcept>
#include <utility>

namespace {

std::string all(const estorepp::store &store)
{
    std::string text;
    for (const event &e : store.read())
        text += e.text();
    return text;
}

void digests()
{
    auto one = estorepp::store::open("one");
    auto other = estorepp::store::open("other", estorepp::options().file_size(1us).grace(0));
    one.append({event(1, "a"), event(25, "c")});
    other.append({event(31, "d"), event(1, "a"), event(1, "a")});
    const auto here = one.digest(0, 99, 10), there = other.digest(0, 99, 10ns);
    CHECK(here.buckets.size() == 10 && here.range.last == 99 && here.width_ns == 10 && here.horizon == 0);
    CHECK(here.buckets[0].count == 1 && here.buckets[0].sum_low == there.buckets[0].sum_low && here.buckets[0].sum_high != 0);
    const auto ranges = here.differences(there);
    CHECK(ranges.size() == 1 && ranges[0].first == 20 && ranges[0].last == 39);
    CHECK(here.differences(here).empty());

    CHECK(code_of([&] { (void)here.differences(other.digest(0, 99, 11)); }) == errc::invalid);
    CHECK(code_of([&] { (void)here.differences(other.digest(0, 98, 10)); }) == errc::invalid);
    auto fewer = there;
    fewer.buckets.pop_back();
    CHECK(code_of([&] { (void)fewer.differences(fewer); }) == errc::invalid);
    CHECK(code_of([&] { (void)one.digest(0, 99, 0); }) == errc::invalid);
    CHECK(code_of([&] { (void)one.digest(0, estorepp::forever, 1); }) == errc::invalid);
    CHECK(code_of([&] { (void)one.digest(0, 99, -1s); }) == errc::invalid);
    CHECK(code_of([&] { (void)one.digest(9, 0, 1); }) == errc::range);
    CHECK(one.digest(0, estorepp::forever, estorepp::duration(std::uint64_t{1} << 60)).buckets.size() == 16);
}

void repair()
{
    auto one = estorepp::store::open("one");
    auto other = estorepp::store::open("other");
    int calls = 0;
    const auto done = one.repair(other, estorepp::repair_options().both_ways().on_progress([&](const estorepp::progress &p) {
        calls++;
        return p.done <= p.events;
    }));
    CHECK(done.to.copied == 1 && done.to.skipped == 2 && done.from.copied == 1 && done.gaps == 0 && !done.stopped);
    CHECK(one.repair(other, 0, 99).to.copied == 0);
    CHECK(one.digest(0, 99, 100).differences(other.digest(0, 99, 100)).empty());

    std::vector<event> many;
    for (std::uint64_t i = 0; i < 20000; i++)
        many.push_back(event(1000 + i, "x"));
    other.append(many);
    CHECK(one.repair(other, estorepp::repair_options().on_progress([](const estorepp::progress &) { return false; })).stopped);
    try {
        (void)one.repair(other, estorepp::repair_options().on_progress([](const estorepp::progress &) -> bool {
            throw std::logic_error("enough");
        }));
        CHECK(!"it threw");
    } catch (const std::logic_error &) {
    }
    (void)one.repair(other);
    CHECK(one.count() == other.count() - 1); // of which one has a repeat

    CHECK(code_of([&] { (void)one.repair(other, 9, 0); }) == errc::range);
    auto gone = std::move(other);
    CHECK(code_of([&] { (void)one.repair(other); }) == errc::closed); // NOLINT: what was moved from
    CHECK(code_of([&] { (void)other.repair(one); }) == errc::closed);
}

void messages()
{
    auto here = estorepp::store::open("here");
    auto there = estorepp::store::open("there");
    here.append({event(1, "a"), event(2, "b")});
    there.append({event(2, "b"), event(3, "c")});

    auto exchange = here.begin_exchange(estorepp::repair_options().both_ways());
    for (estorepp::bytes message = exchange.request(); !message.empty(); message = exchange.request()) {
        CHECK(message.text() == exchange.request().text());
        const estorepp::bytes reply = there.answer(message);
        std::vector<std::uint8_t> changed(reply.begin(), reply.end());
        changed[changed.size() / 2] ^= 1;
        CHECK(code_of([&] { exchange.reply(changed); }) == errc::corrupt);
        CHECK(code_of([&] { (void)there.answer(changed); }) == errc::corrupt);
        exchange.reply(reply);
    }
    CHECK(exchange.request().empty());
    const auto done = exchange.done();
    CHECK(done.to.copied == 1 && done.from.copied == 1 && done.gaps == 0);
    CHECK(all(here) == "abc" && all(there) == "abc");
    exchange.close();
    exchange.close();
    CHECK(code_of([&] { (void)exchange.request(); }) == errc::closed);
    CHECK(code_of([&] { (void)here.begin_exchange(2, 1); }) == errc::range);
    CHECK(code_of([&] { (void)there.answer("nonsense"); }) == errc::corrupt);

    auto late = here.begin_exchange();
    there.append(event(9, "z"));
    const auto reply = there.answer(late.request());
    here.close();
    CHECK(code_of([&] { (void)late.request(); }) == errc::closed);
    CHECK(code_of([&] { late.reply(reply); }) == errc::closed);
}

void parcels()
{
    auto from = estorepp::efile::open("from");
    auto to = estorepp::efile::open("to");
    from.append({event(1, "a"), event(2, "b"), event(3, "c")});
    auto exported = from.export_events(2, estorepp::forever, read_options().reverse());
    CHECK(exported.snapshot_seq() == 3);
    from.close();

    std::vector<estorepp::bytes> kept;
    for (auto parcel = exported.next(1); !parcel.empty(); parcel = exported.next(1))
        kept.push_back(std::move(parcel));
    CHECK(kept.size() == 2 && exported.gaps() == 0);
    CHECK(code_of([&] { (void)exported.next(0); }) == errc::invalid);
    exported.close();
    for (int again = 0; again < 2; again++)
        for (const auto &parcel : kept) {
            const auto imported = to.import_events(parcel);
            CHECK(imported.stored == (again ? 0u : 1u) && imported.present == (again ? 1u : 0u));
        }
    CHECK(code_of([&] { (void)to.import_events({kept[0].data(), kept[0].size() - 1}); }) == errc::corrupt);
    CHECK(code_of([&] { (void)to.import_events({}); }) == errc::corrupt);
    CHECK(to.count() == 2);
    CHECK(estorepp::bytes().empty());
}

} // namespace

int main()
{
    digests();
    repair();
    messages();
    parcels();
}
