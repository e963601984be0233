// Many writers: threads append to one store at the same time, each batch safe against loss of power when its append returns. Appends that
// run at once share their syncs; each batch stays together.
//
// Build and run it from the top of the repository, after `make lib`:
//
//     c++ -std=c++17 -Iinclude -Ibindings/cpp examples/cpp/many_writers.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -lpthread -o many_writers
//     ./many_writers [folder]
//
// The folder must not exist yet; it is `writers` unless you say otherwise.

#include <estore.hpp>

#include <chrono>
#include <future>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using estorepp::event;

constexpr std::uint32_t writers = 8, batches = 25, batch_size = 10;

// A writer marks its events by their id.
static void write(estorepp::store &store, std::uint32_t writer)
{
    const auto start = std::chrono::system_clock::time_point(1700049600s);
    for (std::uint32_t b = 0; b < batches; b++) {
        const std::string text = "batch " + std::to_string(b);
        const std::vector<event> batch(batch_size, event::at(start + b * 1s, text, writer));
        store.append(batch);
    }
}

static void run(const char *folder)
{
    estorepp::options how;
    how.mode(estorepp::open_mode::create_new).durability(estorepp::durability_level::power);
    auto store = estorepp::store::open(folder, how);

    // A future hands on what its thread throws.
    std::vector<std::future<void>> threads;
    for (std::uint32_t writer = 0; writer < writers; writer++)
        threads.push_back(std::async(std::launch::async, [&store, writer] { write(store, writer); }));
    for (auto &thread : threads)
        thread.get();

    std::cout << writers << " threads wrote " << store.count() << " events, all of them safe: ";
    std::cout << (store.durable_seq() == store.last_seq() ? "yes" : "no") << '\n';

    // Events of equal time come in the order of their arrival, so a batch that stayed together comes in one piece.
    std::uint64_t pieces = 0, time = 0;
    std::uint32_t writer = writers;
    for (const event &e : store.read()) {
        pieces += e.time != time || e.id != writer;
        time = e.time;
        writer = e.id;
    }
    std::cout << writers * batches << " batches, read in " << pieces << " pieces\n";
    store.close();
}

int main(int argc, char **argv)
{
    try {
        run(argc > 1 ? argv[1] : "writers");
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
