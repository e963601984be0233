// One program of two files: this one throws, the other returns results. Neither gets functions of the other's.
#include "../check.hpp"

static_assert(ESTOREPP_EXCEPTIONS);

long events_of(const char *path);

int main()
{
    auto store = estorepp::store::open("store");
    store.append({event(1, "a"), event(2, "b")});
    store.close();
    CHECK(store.native_handle() == nullptr && events_of("store") == 2);
    CHECK(events_of("nowhere") == -1);
    CHECK(throws<estorepp::not_found_error>(
        [] { (void)estorepp::store::open("nowhere", options().mode(estorepp::open_mode::read_only)); }));
}
