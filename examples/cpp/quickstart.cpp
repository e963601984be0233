// Readings of a thermometer: appended out of order, sent twice, read in order. C++11 on top of the C header.
//
// Build and run it from the top of the repository, after `make lib`:
//
//     c++ -std=c++11 -Iinclude examples/cpp/quickstart.cpp -Ltarget/release -lestore -Wl,-rpath,$PWD/target/release -o quickstart
//     ./quickstart [folder]
//
// The folder must not exist yet; it is `thermometer` unless you say otherwise.

#include <estore.h>

#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// Turns errors into exceptions; other answers, such as ESTORE_END, are passed on.
estore_status check(estore_status status, const estore_error &err)
{
    if (status < 0)
        throw std::runtime_error(err.message[0] ? err.message : estore_strerror(status));
    return status;
}

// Handles close themselves; closing a variable that holds NULL is fine.
struct Options {
    estore_options *get = estore_options_new();
    ~Options() { estore_options_free(&get); }
};

struct Store {
    estore *get = nullptr;
    ~Store() { estore_close(&get, nullptr); }
};

struct Iterator {
    estore_iter *get = nullptr;
    ~Iterator() { estore_iter_close(&get, nullptr); }
};

const std::uint64_t second = 1000000000;

estore_event reading(std::uint64_t time, const char *text)
{
    return {time, 0, reinterpret_cast<const std::uint8_t *>(text), static_cast<std::uint32_t>(std::char_traits<char>::length(text)), 7};
}

void print(const Store &store, std::uint64_t start, std::uint32_t flags, std::uint64_t limit)
{
    estore_error err = ESTORE_ERROR_INIT;
    Iterator iter;
    check(estore_read_iter(store.get, start, UINT64_MAX, flags, limit, &iter.get, &err), err);
    estore_event event;
    // The data of an event belongs to the iterator and is valid until the next call.
    while (check(estore_iter_next(iter.get, &event, &err), err) == ESTORE_OK)
        std::cout << "  " << event.time / second << " s: " << std::string(event.data, event.data + event.len) << '\n';
}

void run(const std::string &folder)
{
    estore_error err = ESTORE_ERROR_INIT;

    // One file set for each hour of time. Both settings are optional.
    Options options;
    check(estore_options_set_mode(options.get, ESTORE_MODE_CREATE_NEW), err);
    check(estore_options_set_file_size_ns(options.get, 3600 * second), err);
    Store store;
    check(estore_open(folder.data(), folder.size(), options.get, &store.get, &err), err);

    // A batch is in any order of times. Times are nanoseconds; the id tells apart events of equal time and data.
    const std::uint64_t noon = 1700049600 * second;
    const std::vector<estore_event> batch = {
        reading(noon + 2 * second, "21.5"),
        reading(noon, "21.3"),
        reading(noon + second, "21.4"),
    };
    check(estore_append(store.get, batch.data(), batch.size(), nullptr, &err), err);

    // This one comes an hour late. Readers find it in its place, like any other.
    const estore_event late = reading(noon - 3600 * second, "19.0");
    check(estore_append(store.get, &late, 1, nullptr, &err), err);

    // The sender is not sure that the batch arrived and sends it again.
    std::uint64_t stored = 0, present = 0;
    check(estore_append_absent(store.get, batch.data(), batch.size(), nullptr, &stored, &present, nullptr, &err), err);
    std::cout << "sent again: " << stored << " stored, " << present << " there already\n";

    std::cout << "from noon on:\n";
    print(store, noon, ESTORE_READ_FORWARD, 0);

    std::cout << "the last two, newest first:\n";
    print(store, 0, ESTORE_READ_REVERSE, 2);

    std::uint64_t count = 0;
    check(estore_count(store.get, 0, UINT64_MAX, &count, &err), err);
    std::cout << count << " events in all\n";

    // The destructor closes the store too, but only this can tell that something went wrong.
    check(estore_close(&store.get, &err), err);
}

} // namespace

int main(int argc, char **argv)
{
    try {
        run(argc > 1 ? argv[1] : "thermometer");
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
