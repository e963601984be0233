// Handles move, close in any order, and say so if they are used after that.
#include "check.hpp"

#include <optional>
#include <utility>
#include <vector>

int main()
{
    auto store = estorepp::store::open("store");
    store.append({event(1, "a"), event(2, "b"), event(3, "c")});

    // A moved store is the same store; the variable that it left is closed.
    estorepp::store other = std::move(store);
    CHECK(other.count() == 3);
    CHECK(code_of([&] { (void)store.count(); }) == errc::closed && store.native_handle() == nullptr);
    store = std::move(other);
    auto &itself = store;
    store = std::move(itself);
    CHECK(store.count() == 3);

    // What is assigned over is closed at once: its lock is free.
    auto second = estorepp::store::open("second");
    second = std::move(store);
    CHECK(estorepp::store::open("second").count() == 0 && second.count() == 3);
    std::vector<estorepp::store> stores;
    stores.push_back(std::move(second));
    stores.push_back(estorepp::store::open("third"));

    // A reader that moves keeps its place and the data of its events.
    auto reader = stores[0].read();
    const event first = *reader.next();
    estorepp::reader moved = std::move(reader);
    auto &same = moved;
    moved = std::move(same);
    CHECK(first.text() == "a" && moved.next()->text() == "b");
    CHECK(code_of([&] { (void)reader.next(); }) == errc::closed);

    // Closing says whether it worked, may be repeated, and takes no reader along.
    stores[0].close();
    stores[0].close();
    CHECK(code_of([&] { stores[0].append(event(4, "d")); }) == errc::closed);
    CHECK(code_of([&] { (void)stores[0].read(); }) == errc::closed);
    CHECK(code_of([&] { (void)stores[0].splits(0, 1); }) == errc::closed);
    CHECK(code_of([&] { (void)stores[0].named_stats(); }) == errc::closed);
    CHECK(code_of([&] { (void)stores[0].verify(); }) == errc::closed);
    CHECK(moved.next()->text() == "c" && moved.next() == nullptr);
    moved.close();
    moved.close();
    CHECK(code_of([&] { (void)moved.next(); }) == errc::closed);
    CHECK(code_of([&] { (void)moved.gaps(); }) == errc::closed);

    options one = std::move(options().grace(1s));
    options two = std::move(one);
    CHECK(code_of([&] { one.grace(2s); }) == errc::closed);
    CHECK(code_of([&] { (void)estorepp::store::open("fourth", one); }) == errc::closed);
    CHECK(code_of([&] { estorepp::store::destroy("third", one); }) == errc::closed);
    std::optional<estorepp::store> fourth = estorepp::store::open("fourth", two);
    CHECK(fourth->stats().grace_ns == 1000000000);

    // A store that is open is not destroyed.
    CHECK(code_of([] { estorepp::store::destroy("fourth"); }) == errc::locked);
    fourth.reset();
    estorepp::store::destroy("fourth");
    CHECK(code_of([] { estorepp::store::destroy("fourth"); }) == errc::not_found);
}
