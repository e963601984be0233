// Wrong: looks at the data of an event when its reader and its store are gone. AddressSanitizer must say so.
#include "../check.hpp"

int main()
{
    auto store = estorepp::store::open("store");
    store.append(event(1, "a text of some length"));
    auto reader = store.read();
    const event e = *reader.next();
    reader.close();
    store.close();
    return e.text().front() != 'a';
}
