// The file without exceptions; see throwing.cpp.
#define ESTOREPP_NO_EXCEPTIONS
#include "../check.hpp"

static_assert(!ESTOREPP_EXCEPTIONS);

// How many events there are; -1 if there is no store.
long events_of(const char *path)
{
    const auto store = estorepp::store::open(path, options().mode(estorepp::open_mode::read_only));
    return store ? static_cast<long>(store->count().value()) : -1;
}
