// Follows a store that another process writes, and handles each event once, in the order in which they arrived, late ones too. The seq of
// the last event that was handled is kept in a file, so that the next run goes on where this one ended.
//
// Build and run it from the top of the repository, after `make lib`, beside a program that writes to the store:
//
//     c++ -std=c++17 -Iinclude -Ibindings/cpp examples/cpp/follow.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o follow
//     ./follow logs cursor [events]
//
// It ends after so many events; without a number it never does.

#include <estore.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>

static std::uint64_t read_cursor(const std::string &path)
{
    std::uint64_t cursor = 0;
    std::ifstream(path) >> cursor;
    return cursor;
}

// Whole or not at all, whenever this program ends.
static void write_cursor(const std::string &path, std::uint64_t cursor)
{
    std::ofstream draft(path + ".new");
    draft.exceptions(std::ios::failbit | std::ios::badbit);
    draft << cursor << '\n';
    draft.close();
    std::filesystem::rename(path + ".new", path);
}

static void run(const char *folder, const std::string &cursor, std::uint64_t left)
{
    auto store = estorepp::store::open(folder, estorepp::options().mode(estorepp::open_mode::read_only));
    auto tail = store.tail(read_cursor(cursor));
    while (left > 0) {
        try {
            for (const estorepp::event &e : tail) {
                std::cout << e.seq << ": " << e.text() << std::endl;
                write_cursor(cursor, e.seq);
                if (--left == 0)
                    break;
            }
        } catch (const estorepp::gap_error &) {
            std::cout << "events were deleted before they came here" << std::endl;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        std::cerr << "usage: follow FOLDER CURSOR [EVENTS]\n";
        return 2;
    }
    try {
        run(argv[1], argv[2], argc > 3 ? std::stoull(argv[3]) : std::numeric_limits<std::uint64_t>::max());
    } catch (const std::exception &e) {
        std::cerr << "follow: " << e.what() << '\n';
        return 1;
    }
}
