// Ships a log into a store and reads a span of time out of it. A line may begin with its time, in seconds since 1970; one that does not has
// the time of the line before it, or of now. Lines may come in any order and are printed in the order of their times.
//
// Build and run it from the top of the repository, after `make lib`:
//
//     c++ -std=c++17 -Iinclude -Ibindings/cpp examples/cpp/log_shipper.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o log_shipper
//     printf '1700000002 two\n1700000001 one\n' | ./log_shipper logs
//     ./log_shipper logs 1700000000 1700000001

#include <estore.hpp>

#include <charconv>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using estorepp::event;

constexpr std::uint64_t second = 1000000000; // in nanoseconds

struct line {
    std::uint64_t time; // nanoseconds
    std::string text;
};

// The seconds at the start of a text, if that is where it begins; the rest may be anything.
static std::optional<std::uint64_t> seconds_of(std::string_view text)
{
    std::uint64_t seconds = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool alone = end == text.data() + text.size() || *end == ' ';
    return problem == std::errc() && alone && seconds < UINT64_MAX / second ? std::optional(seconds) : std::nullopt;
}

static void append(estorepp::store &store, std::vector<line> &lines)
{
    // Events are views of the lines, which stay where they are during the call.
    std::vector<event> batch;
    batch.reserve(lines.size());
    for (const line &l : lines)
        batch.emplace_back(l.time, l.text);
    store.append(batch);
    lines.clear();
}

static void ship(const char *folder)
{
    auto store = estorepp::store::open(folder);
    std::vector<line> lines;
    std::uint64_t shipped = 0, without_time = 0, time = estorepp::now();
    for (std::string text; std::getline(std::cin, text); shipped++) {
        if (const auto seconds = seconds_of(text))
            time = *seconds * second;
        else
            without_time++;
        lines.push_back({time, std::move(text)});
        if (lines.size() == 1000)
            append(store, lines);
    }
    append(store, lines);
    store.close();
    std::cout << shipped << " lines, " << without_time << " without a time\n";
}

static void print(const char *folder, std::uint64_t from, std::uint64_t to)
{
    // Reading only: works beside a shipper.
    const auto store = estorepp::store::open(folder, estorepp::options().mode(estorepp::open_mode::read_only));
    for (const event &e : store.read(from * second, to * second + (second - 1)))
        std::cout << e.text() << '\n';
}

int main(int argc, char **argv)
{
    const auto from = argc == 4 ? seconds_of(argv[2]) : std::nullopt, to = argc == 4 ? seconds_of(argv[3]) : std::nullopt;
    if (argc != 2 && !(from && to)) {
        std::cerr << "usage: log_shipper FOLDER [FROM TO]    (seconds since 1970, both inclusive)\n";
        return 2;
    }
    try {
        if (argc == 2)
            ship(argv[1]);
        else
            print(argv[1], *from, *to);
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
