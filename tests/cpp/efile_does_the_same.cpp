// A store and an efile are used in the same way, so that a template can take either.
#include "check.hpp"

#include <vector>

template <class Store>
void use(const char *path)
{
    auto store = Store::open(path, options().grace(1s).background(false));
    store.append({event(20, "b"), event(10, "a")});
    CHECK(store.append_absent({event(20, "b"), event(30, "c")}).stored == 1);
    CHECK(store.last_seq() == 3 && store.sync() == 3 && store.durable_seq() == 3);
    store.tick();
    CHECK(texts(store.read(read_options().reverse())) == "c b a" && texts(store.read(20, 20)) == "b");
    CHECK(store.count(15) == 2 && store.stats().events == 3 && store.named_stats()[ESTORE_STAT_EVENTS].second == 3);
    CHECK(store.verify().events == 3);
    CHECK(throws<estorepp::locked_error>([&] { (void)Store::open(path); }));

    Store other = std::move(store);
    CHECK(code_of([&] { (void)store.stats(); }) == errc::closed);
    auto reader = other.read();
    other.close();
    CHECK(code_of([&] { other.append(event(1, "")); }) == errc::closed);
    CHECK(texts(std::move(reader)) == "a b c");
    CHECK(texts(Store::open(path).read()) == "a b c");
    Store::destroy(path);
    CHECK(throws<estorepp::not_found_error>([&] { Store::destroy(path); }));
}

int main()
{
    use<estorepp::store>("store");
    use<estorepp::efile>("file");
    CHECK(code_of([] { (void)estorepp::efile::open("file", options().file_size(1h)); }) == errc::invalid);
}
