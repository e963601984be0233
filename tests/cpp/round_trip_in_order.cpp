// Batches go in out of order, from whatever holds events and bytes, and come out in order.
#include "check.hpp"

#include <array>
#include <cstring>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

int main()
{
    auto store = estorepp::store::open("store");

    // Events: one, a list, whatever is contiguous, a pointer and a number, none.
    CHECK(store.append(event(50, "e")) == 1);
    CHECK(store.append({event(30, "c"), event(10, "a"), {20, "b"}}) == 4);
    const std::vector<event> vector = {event(40, "d"), event(60, "f")};
    CHECK(store.append(vector) == 6);
    std::array<event, 1> array = {event(5, "0")};
    CHECK(store.append(array) == 7);
    const event bare[] = {event(70, "g"), event(71, "h")};
    CHECK(store.append(bare) == 9);
    CHECK(store.append(std::vector<event>{event(80, "i")}) == 10);
    CHECK(store.append({vector.data(), 1}) == 11);
    CHECK(store.append(std::vector<event>()) == 11);
    CHECK(texts(store.read()) == "0 a b c d d e f g h i");
    CHECK(texts(store.read(20, 40)) == "b c d d");
    CHECK(texts(store.read(60)) == "f g h i");
    CHECK(store.count() == 11 && store.count(20, 40) == 4);

    // Bytes: texts and containers of any type of byte. An array of char is a text, an array of bytes is not.
    const std::string text("t\0t", 3);
    const std::vector<std::byte> bytes(3, std::byte{1});
    const std::vector<char> chars(4, 'c');
    const std::array<std::uint8_t, 5> numbers = {1, 2, 3, 4, 5};
    const unsigned char bare_bytes[6] = {};
    const char literal[] = "seven77";
    auto lengths = estorepp::store::open("lengths");
    lengths.append({event(0, ""), event(1, std::string_view("x")), event(2, {"xyz", 2}), event(3, text), event(3, bytes), event(4, chars),
                    event(5, numbers), event(6, bare_bytes), event(7, literal)});
#if __cplusplus >= 202002L
    lengths.append(event(5, std::span(numbers)));
    lengths.append(std::span<const event>(vector).first(0));
#endif
    for (const event &e : lengths.read())
        CHECK(e.len == e.time && e.text().size() == e.time && e.bytes().size() == e.time);
    auto three = lengths.read(3, 3);
    const event *e = three.next();
    CHECK(e != nullptr && e->text() == text && std::memcmp(e->bytes().data(), text.data(), 3) == 0);
    e = three.next();
    CHECK(e != nullptr && e->bytes()[0] == 1 && e->bytes().end() - e->bytes().begin() == 3);
    CHECK(three.next() == nullptr && three.next() == nullptr);

    // Equal events are kept apart by their ids; the store gives the seq.
    store.append(event(99, "same", 1));
    store.append(event(99, "same", event::new_id()));
    std::uint64_t seq = 0;
    for (const event &same : store.read(99, 99)) {
        CHECK(same.text() == "same" && same.seq > seq);
        seq = same.seq;
    }
    CHECK(seq == store.last_seq());
    store.close();
    lengths.close();
}
