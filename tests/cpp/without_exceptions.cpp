// Without exceptions the same functions return a value or an error, loops end at an error, and options keep it for opening.
#include "check.hpp"

#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

static_assert(!ESTOREPP_EXCEPTIONS);
static_assert(!std::is_copy_constructible_v<estorepp::result<estorepp::store>>);

static const char *try_all(const char *path)
{
    auto store = estorepp::store::open(path, options().grace(1s));
    if (!store)
        return "open";
    std::vector<event> batch = {event(20, "b"), event(10, "a")};
    if (auto late = event::at(std::chrono::system_clock::time_point(30ns), "c"))
        batch.push_back(*late);
    if (auto seq = store->append(batch); !seq || *seq != 3)
        return "append";
    for (const event &e : *store->read(20))
        CHECK(e.time >= 20);
    if (texts(*store->read(read_options().reverse())) != "c b a")
        return "read";
    if (store->count().value() != 3 || store->stats()->events != 3 || store->append_absent(batch)->present != 3)
        return "count";
    if (store->splits(0, 20)->size() != 1 || store->verify()->events != 3 || store->named_stats()->empty())
        return "splits";
    if (!store->sync() || !store->tick() || !store->delete_before(15) || *store->durable_seq() != *store->last_seq())
        return "sync";
    if (*estorepp::parse_duration("2s") != 2s || event::now("x")->text() != "x")
        return "duration";
    auto replica = estorepp::store::open(std::string(path) + " replica").value();
    if (replica.repair(*store)->to.copied != 2 || !replica.digest(0, 99, 9)->differences(*store->digest(0, 99, 9))->empty())
        return "repair";
    auto exchange = replica.begin_exchange();
    for (auto message = exchange->request(); !message->empty(); message = exchange->request())
        if (!exchange->reply(*store->answer(*message)) || exchange->reply("nonsense").error().code() != errc::corrupt)
            return "exchange";
    if (exchange->done()->to.copied != 0 || replica.import_events(*store->export_events()->next())->present != 2)
        return "import";
    if (auto done = store->close(); !done)
        return "close";
    return nullptr;
}

int main()
{
    CHECK(try_all("store") == nullptr);
    CHECK(std::strcmp(try_all("no/such/folder"), "open") == 0);

    // What failed, in the same words as with exceptions.
    const auto missing = estorepp::store::open("nowhere", options().mode(estorepp::open_mode::existing));
    CHECK(!missing && !missing.has_value() && missing.error().code() == errc::not_found);
    CHECK(std::strstr(missing.error().what(), "nowhere") != nullptr);
    CHECK(missing.error().code() == std::errc::no_such_file_or_directory);

    auto store = estorepp::store::open("damaged").value();
    CHECK(store.append(event(10, "one")) && store.append(event(20, "two")) && store.append(event(30, "six")));
    CHECK(store.read(2, 1).error().code() == errc::range);
    CHECK(store.read(-1).error().code() == errc::invalid);
    CHECK(event::at(-1, "").error().code() == errc::invalid);
    CHECK(event(UINT64_MAX, "").when().error().code() == errc::invalid);
    CHECK(estorepp::parse_duration("soon").error().code() == errc::invalid);

    // A loop ends at damage as at the end; failure() tells the two apart.
    flip("damaged/0-0.estore", 64 + (64 + 3) + 64);
    auto reader = store.read();
    std::string seen;
    for (const event &e : *reader)
        seen += e.text();
    const auto *failure = reader->failure();
    CHECK(seen.size() < 9 && failure != nullptr && failure->code() == errc::corrupt && failure->offset() == 131);
    CHECK(reader->next().error().code() == errc::corrupt);
    auto salvaged = store.read(read_options().salvage());
    seen.clear();
    for (const event &e : *salvaged)
        seen += e.text();
    CHECK(seen == "onesix" && salvaged->failure() == nullptr && *salvaged->gaps() == 1);
    int calls = 0;
    CHECK(store.verify([&](const estorepp::finding &) { return ++calls == 0; })->damaged == 1 && calls == 1);
    CHECK(store.close() && store.close());
    CHECK(store.count().error().code() == errc::closed && store.append(event(1, "")).error().code() == errc::closed);

    // Options keep the first thing that was refused.
    options how;
    how.grace(1s).file_size(0).grace(-1s);
    auto refused = estorepp::store::open("third", how);
    CHECK(!refused && refused.error().code() == errc::invalid && std::strstr(refused.error().what(), "file_size") != nullptr);
    CHECK(estorepp::store::destroy("damaged", how).error().code() == errc::invalid);
    CHECK(estorepp::store::destroy("damaged"));

    int heard = 0;
    CHECK(estorepp::store::open("third", options().log([&](estorepp::log_level, std::string_view) { heard++; }))->close());
}
