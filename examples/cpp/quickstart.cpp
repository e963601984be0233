// Readings of a thermometer: appended out of order, sent twice, read in order.
//
// Build and run it from the top of the repository, after `make lib`:
//
//     c++ -std=c++17 -Iinclude -Ibindings/cpp examples/cpp/quickstart.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o quickstart
//     ./quickstart [folder]
//
// The folder must not exist yet; it is `thermometer` unless you say otherwise.

#include <estore.hpp>

#include <chrono>
#include <iostream>
#include <vector>

using namespace std::chrono_literals;
using estorepp::event;

static void print(estorepp::reader events)
{
    // The text of an event is good until the next one comes.
    for (const event &e : events)
        std::cout << "  " << e.time / 1000000000 << " s: " << e.text() << '\n';
}

static void run(const char *folder)
{
    // One file set for each hour of time. Both settings are optional.
    auto store = estorepp::store::open(folder, estorepp::options().mode(estorepp::open_mode::create_new).file_size(1h));

    // A batch is in any order of times. The id tells apart events of equal time and data.
    const auto noon = std::chrono::system_clock::time_point(1700049600s);
    const std::vector<event> batch = {
        event::at(noon + 2s, "21.5", 7),
        event::at(noon, "21.3", 7),
        event::at(noon + 1s, "21.4", 7),
    };
    store.append(batch);

    // This one comes an hour late. Readers find it in its place, like any other.
    store.append(event::at(noon - 1h, "19.0", 7));

    // The sender is not sure that the batch arrived and sends it again.
    const auto again = store.append_absent(batch);
    std::cout << "sent again: " << again.stored << " stored, " << again.present << " there already\n";

    std::cout << "from noon on:\n";
    print(store.read(noon));

    std::cout << "the last two, newest first:\n";
    print(store.read(estorepp::read_options().reverse().limit(2)));

    std::cout << store.count() << " events in all\n";

    // The destructor closes the store too, but only this can tell that something went wrong.
    store.close();
}

int main(int argc, char **argv)
{
    try {
        run(argc > 1 ? argv[1] : "thermometer");
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
