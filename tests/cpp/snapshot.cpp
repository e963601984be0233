// A snapshot is a store of its own with what was there at one moment; the function that is told how far it is may stop it and throw.
#include "check.hpp"

#include <stdexcept>

int main()
{
    auto store = estorepp::store::open("store");
    store.append({event(2, "b"), event(1, "a")});
    const auto stopped = store.snapshot("copy", [](const estorepp::progress &) { return false; });
    CHECK(stopped.stopped && stopped.seq == 0);
    CHECK(throws<std::logic_error>([&] {
        (void)store.snapshot("copy", [](const estorepp::progress &) { throw std::logic_error("enough"); });
    }));
    CHECK(code_of([] { estorepp::store::open("copy", estorepp::options().mode(estorepp::open_mode::read_only)); }) ==
          estorepp::errc::not_found);

    std::uint64_t last = 0;
    const auto taken = store.snapshot("copy", [&](const estorepp::progress &progress) {
        CHECK(last <= progress.done && progress.done <= progress.events && progress.events == 2);
        last = progress.done;
    });
    CHECK(last == 2 && taken.seq == 2 && taken.bytes_copied > 0 && taken.bytes_linked == 0 && taken.damaged == 0 && !taken.stopped);
    store.append(event(3, "c"));
    {
        const auto copy = estorepp::store::open("copy", estorepp::options().mode(estorepp::open_mode::read_only));
        CHECK(texts(copy.read()) == "a b");
    }
    (void)store.compact();
    const auto again = store.snapshot("copy");
    CHECK(again.seq == 3 && again.bytes_copied == 0 && again.bytes_linked > 0);
    CHECK(code_of([&] { (void)store.snapshot("store/in"); }) == estorepp::errc::invalid);
    estorepp::store::open("copy").close();
    CHECK(code_of([&] { (void)store.snapshot("copy"); }) == estorepp::errc::exists);

    auto file = estorepp::efile::open("file");
    file.append(event(7, "seven"));
    CHECK(file.snapshot("other").seq == 1);
    CHECK(texts(estorepp::efile::open("other").read()) == "seven");
    return 0;
}
