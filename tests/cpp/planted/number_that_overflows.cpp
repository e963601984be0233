// Wrong: a sum of ints that is no int. UndefinedBehaviorSanitizer must say so.
#include "../check.hpp"

#include <limits>

int main()
{
    auto store = estorepp::store::open("store");
    store.append(event(1, "x"));
    int sum = std::numeric_limits<int>::max();
    for (const event &e : store.read())
        sum += static_cast<int>(e.len);
    return sum == 0;
}
