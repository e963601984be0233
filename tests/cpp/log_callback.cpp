// A store tells its messages to the function of its options, which lives as long as it can be called and may throw what it likes.
#include "check.hpp"

#include <memory>
#include <stdexcept>
#include <vector>

int main()
{
    auto heard = std::make_shared<std::vector<std::string>>();
    const auto listen = [heard](estorepp::log_level level, std::string_view message) {
        CHECK(level >= estorepp::log_level::error && level <= estorepp::log_level::info);
        heard->emplace_back(message);
        throw std::runtime_error("nobody hears of this");
    };
    options how;
    how.background(false).log(listen);

    // Bytes that are no part of the log are worth a message.
    const auto open_torn = [&] {
        auto store = estorepp::store::open("store", how);
        store.append(event(1, "a"));
        store.close();
        std::FILE *file = std::fopen("store/0-0.estore", "ab");
        CHECK(file != nullptr && std::fwrite("torn", 1, 4, file) == 4 && std::fclose(file) == 0);
        heard->clear();
        store = estorepp::store::open("store", how);
        store.append(event(2, "b"));
        return store;
    };
    auto store = open_torn();
    bool named = false;
    for (const std::string &message : *heard)
        named = named || message.find("0-0.estore") != std::string::npos;
    CHECK(named);

    // The store keeps the function when its options get another or end, and a reader keeps it when the store ends.
    const auto copies = heard.use_count();
    how.log(nullptr);
    CHECK(heard.use_count() == copies);
    auto reader = store.read();
    store.close();
    CHECK(heard.use_count() == copies);
    CHECK(texts(std::move(reader)) == "a b");
    CHECK(heard.use_count() == copies - 1);

    store = open_torn();
    CHECK(heard->empty());
}
