// A backup of a store in use: a snapshot is a store of its own, with what was there at one moment. Another one into the same folder copies
// only what is new. To restore it, copy the folder, and open the copy.
//
// Build and run it from the top of the repository, after `make lib`:
//
//     c++ -std=c++17 -Iinclude -Ibindings/cpp examples/cpp/snapshot.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o snapshot
//     ./snapshot [folder] [backup]
//
// The folders must not exist yet; they are `measured` and `backup` unless you say otherwise.

#include <estore.hpp>

#include <cstdint>
#include <iostream>

using estorepp::open_mode;

static estorepp::store open(const char *folder, open_mode mode)
{
    return estorepp::store::open(folder, estorepp::options().mode(mode));
}

static void measure(estorepp::store &store, std::uint64_t from, std::uint64_t to)
{
    for (auto time = from; time < to; time++)
        store.append(estorepp::event(time, "20.5 degrees"));
}

// Takes a snapshot; answers how many bytes were copied.
static std::uint64_t take(const estorepp::store &store, const char *backup)
{
    const auto taken = store.snapshot(backup);
    std::cout << "a snapshot up to event " << taken.seq << ", " << (taken.damaged == 0 ? "whole" : "of a damaged store") << '\n';
    return taken.bytes_copied;
}

static void show(const estorepp::store &store, const char *backup)
{
    const auto there = open(backup, open_mode::read_only);
    std::cout << store.count() << " events in the store, " << there.count() << " in the snapshot\n";
}

static void run(const char *folder, const char *backup)
{
    auto store = open(folder, open_mode::create_new);
    measure(store, 0, 1000);
    const auto first = take(store, backup);
    measure(store, 1000, 1200);
    show(store, backup);
    const auto second = take(store, backup);
    show(store, backup);
    std::cout << "the second one copied less: " << (second < first ? "yes" : "no") << '\n';
    store.close();
}

int main(int argc, char **argv)
{
    try {
        run(argc > 1 ? argv[1] : "measured", argc > 2 ? argv[2] : "backup");
    } catch (const estorepp::error &e) {
        std::cerr << "snapshot: " << e.what() << '\n';
        return 1;
    }
}
