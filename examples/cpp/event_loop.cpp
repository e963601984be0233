// A host with one thread and an event loop: what comes on standard input is stored line by line, as soon as it is there. The store has no
// thread of its own; a timer of the loop gives it the time for its syncs.
//
// Build and run it from the top of the repository, after `make lib`:
//
//     c++ -std=c++17 -Iinclude -Ibindings/cpp examples/cpp/event_loop.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o event_loop
//     (echo one; sleep 1; echo two) | ./event_loop [folder]
//
// The folder is `lines` unless you say otherwise.

#include <estore.hpp>

#include <cerrno>
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

using namespace std::chrono_literals;
using estorepp::event;

// A system call that must not fail.
template <class T>
static T check(T answer, const char *call)
{
    if (answer < 0)
        throw std::system_error(errno, std::generic_category(), call);
    return answer;
}

// Appends the whole lines in one batch, without copying them, and leaves what is not whole yet.
static void append_lines(estorepp::store &store, std::string &input)
{
    std::vector<event> batch;
    std::size_t start = 0;
    for (std::size_t end; (end = input.find('\n', start)) != std::string::npos; start = end + 1)
        batch.push_back(event::now(std::string_view(input).substr(start, end - start)));
    store.append(batch);
    input.erase(0, start);
}

static void run(const char *folder)
{
    estorepp::options how;
    how.background(false).durability(estorepp::durability_level::interval, 100ms);
    auto store = estorepp::store::open(folder, how);

    // A store that ticks as often as its interval is long loses at most two of them with the power.
    const int timer = check(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create");
    const itimerspec each = {{0, 100000000}, {0, 100000000}};
    check(timerfd_settime(timer, 0, &each, nullptr), "timerfd_settime");

    std::string input;
    std::uint64_t safe = store.durable_seq();
    pollfd sources[] = {{STDIN_FILENO, POLLIN, 0}, {timer, POLLIN, 0}};
    for (bool open = true; open;) {
        if (poll(sources, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            check(-1, "poll");
        }
        if (sources[0].revents != 0) {
            char bytes[65536];
            const ssize_t n = check(read(STDIN_FILENO, bytes, sizeof bytes), "read");
            open = n > 0;
            input.append(bytes, static_cast<std::size_t>(n));
            if (!open && !input.empty())
                input += '\n'; // the last line ends here
            append_lines(store, input);
        }
        if (sources[1].revents != 0) {
            std::uint64_t times;
            check(read(timer, &times, sizeof times), "read");
            store.tick(); // a sync, if one is due
            if (const std::uint64_t now_safe = store.durable_seq(); now_safe > safe) {
                safe = now_safe;
                std::cout << "safe against loss of power: all up to event " << safe << std::endl;
            }
        }
    }
    close(timer);
    std::cout << store.count() << " lines stored\n";
    store.close();
}

int main(int argc, char **argv)
{
    try {
        run(argc > 1 ? argv[1] : "lines");
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
