// An event is an estore_event and nothing more, so batches pass to the C functions and back as they are.
#include "check.hpp"

#include <cstddef>
#include <type_traits>
#include <vector>

static_assert(sizeof(event) == 32 && alignof(event) == 8);
static_assert(offsetof(event, time) == 0 && offsetof(event, seq) == 8 && offsetof(event, data) == 16 && offsetof(event, len) == 24);
static_assert(offsetof(event, id) == 28);
static_assert(std::is_trivially_copyable_v<event> && std::is_standard_layout_v<event>);

// What must not be: copies of handles, and containers that are not contiguous or hold something else.
template <class T>
constexpr bool only_moves = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> && std::is_nothrow_move_constructible_v<T> &&
                            std::is_nothrow_move_assignable_v<T>;
static_assert(only_moves<estorepp::store> && only_moves<estorepp::efile> && only_moves<estorepp::reader> && only_moves<options>);
static_assert(!std::is_constructible_v<estorepp::view<const event>, std::vector<int> &>);
static_assert(!std::is_constructible_v<estorepp::view<event>, const std::vector<event> &>);
static_assert(!std::is_constructible_v<estorepp::byte_view, std::vector<int>> && !std::is_constructible_v<estorepp::byte_view, int>);
static_assert(!std::is_constructible_v<estorepp::byte_view, std::vector<bool>> && !std::is_constructible_v<estorepp::timestamp, double>);

int main()
{
    auto store = estorepp::store::open("store");
    const std::vector<event> batch = {event(2, "b"), event(1, "a")};
    CHECK(estore_append(store.native_handle(), batch.data(), batch.size(), nullptr, nullptr) == ESTORE_OK);

    auto reader = store.read();
    event events[3];
    std::size_t n = 0;
    CHECK(estore_iter_next_batch(reader.native_handle(), events, 3, &n, nullptr) == ESTORE_OK && n == 2);
    CHECK(events[0].text() == "a" && events[1].text() == "b" && events[1].time == 2);
}
