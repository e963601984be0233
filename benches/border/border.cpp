// The cost of the language border, in C++; benches/README.md says what is measured, border.c how a program is asked.

#include <estore.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

using estorepp::event;

constexpr std::size_t batch = 1000, len = 100;

static std::uint64_t now_ns()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

static estorepp::store open_store(const std::string &path, estorepp::open_mode mode)
{
    return estorepp::store::open(path, estorepp::options().mode(mode).durability(estorepp::durability_level::process));
}

static std::vector<event> make_events(std::size_t n, std::vector<std::uint8_t> &pool)
{
    for (std::size_t j = 0; j < batch * len; j++)
        pool.push_back(static_cast<std::uint8_t>((j * 31 + j / len) % 251));
    std::vector<event> events;
    for (std::uint64_t i = 0; i < n; i++) {
        event e{};
        e.time = 1700000000000000000 + i * 100000 + i * 7368787 % 10000000;
        e.data = pool.data() + i % batch * len;
        e.len = len;
        e.id = static_cast<std::uint32_t>(i);
        events.push_back(e);
    }
    return events;
}

// The first batch makes the files of the chunk, and is not timed.
static std::uint64_t append(const std::string &path, const std::vector<event> &events)
{
    auto store = open_store(path, estorepp::open_mode::create_new);
    store.append({events.data(), batch});
    const auto start = now_ns();
    for (std::size_t i = batch; i < events.size(); i += batch)
        store.append({events.data() + i, batch});
    const auto took = now_ns() - start;
    store.close();
    return took;
}

template <class F>
static void scan(const estorepp::store &store, F sum_of)
{
    std::uint64_t count = 0, sum = 0;
    const auto start = now_ns();
    for (const event &e : store.read()) {
        count++;
        sum += sum_of(e);
    }
    std::cout << now_ns() - start << ' ' << count << ' ' << sum << std::endl;
}

static std::uint64_t time_and_length(const event &e)
{
    return e.time + e.len;
}

static std::uint64_t everything(const event &e)
{
    std::uint64_t sum = time_and_length(e) + e.id;
    for (std::uint32_t j = 0; j < e.len; j++)
        sum += e.data[j];
    return sum;
}

static void run(const std::string &work, const std::string &argument)
{
    std::string line;
    if (work == "append") {
        std::vector<std::uint8_t> pool;
        const auto events = make_events(std::stoull(argument), pool);
        while (std::getline(std::cin, line))
            std::cout << append(line, events) << std::endl;
    } else {
        const auto store = open_store(argument, estorepp::open_mode::read_only);
        while (std::getline(std::cin, line)) {
            if (line == "check")
                scan(store, [](const event &e) { return everything(e); });
            else
                scan(store, [](const event &e) { return time_and_length(e); });
        }
    }
}

int main(int argc, char **argv)
{
    try {
        if (argc != 3)
            return 2;
        run(argv[1], argv[2]);
    } catch (const std::exception &e) {
        std::cerr << "border.cpp: " << e.what() << '\n';
        return 1;
    }
}
