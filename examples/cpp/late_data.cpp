// Late data at work: a sensor whose network was down delivers its last half hour at once, and sends it again since nobody answered. Readers
// find every reading in its place, once; the stats tell what was late.
//
// Build and run it from the top of the repository, after `make lib`:
//
//     c++ -std=c++17 -Iinclude -Ibindings/cpp examples/cpp/late_data.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o late_data
//     ./late_data [folder]
//
// The folder must not exist yet; it is `sensors` unless you say otherwise.

#include <estore.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using estorepp::event;

static void print(const char *what, const estorepp::store &store)
{
    const auto stats = store.stats();
    std::cout << what << ": " << stats.events << " events, " << stats.late_events << " of them late\n";
}

static void run(const char *folder)
{
    // What lies at most two minutes behind the newest is in time. What is later costs a little more to store, and reads the same.
    auto store = estorepp::store::open(folder, estorepp::options().mode(estorepp::open_mode::create_new).grace(2min));
    const auto noon = std::chrono::system_clock::time_point(1700049600s);
    constexpr std::uint32_t cellar = 1, roof = 2; // as ids: readings of two sensors are never the same event

    // For an hour the cellar reports each minute.
    for (int minute = 0; minute < 60; minute++)
        store.append(event::at(noon + minute * 1min, "cellar 12.0", cellar));
    print("the cellar alone", store);
    auto before = store.read();

    // The roof comes back and delivers what it has measured from 12:30 on.
    std::vector<std::string> texts;
    for (int minute = 30; minute < 60; minute++)
        texts.push_back("roof " + std::to_string(minute - 10) + ".5");
    std::vector<event> batch;
    for (std::size_t i = 0; i < texts.size(); i++)
        batch.push_back(event::at(noon + 30min + i * 1min + 20s, texts[i], roof));
    store.append(batch);
    print("the roof is back", store);

    // It got no answer and sends all again, with one reading more.
    batch.push_back(event::at(noon + 61min, "roof 50.5", roof));
    const auto again = store.append_absent(batch);
    std::cout << "sent again: " << again.stored << " stored, " << again.present << " there already\n";

    std::cout << "from 12:40 to 12:42:\n";
    for (const event &e : store.read(noon + 40min, noon + 42min))
        std::cout << "  " << (e.time / 1000000000 - 1700049600) / 60 << " min: " << e.text() << '\n';

    // A reader shows the moment at which it was made.
    std::uint64_t events = 0;
    for (const event &e : before)
        events += e.id == cellar;
    std::cout << "a reader from before still sees " << events << " events\n";
    store.close();
}

int main(int argc, char **argv)
{
    try {
        run(argc > 1 ? argv[1] : "sensors");
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
