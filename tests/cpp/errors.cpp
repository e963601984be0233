// Each failure has a class of its own below one base, a code that std::error_code knows, and a message that names the cause.
#include "check.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <typeinfo>

using estorepp::open_mode;

int main()
{
    auto store = estorepp::store::open("store", options().max_event_len(3).max_new_chunks(1));
    store.append(event(1, "a"));
    std::FILE *file = std::fopen("file", "w");
    CHECK(file != nullptr && std::fclose(file) == 0);

    // Caught by its class, by the base, and as any std::exception.
    const auto second_writer = [] { (void)estorepp::store::open("store"); };
    CHECK(throws<estorepp::locked_error>(second_writer));
    CHECK(throws<estorepp::error>(second_writer));
    CHECK(throws<std::runtime_error>(second_writer));
    CHECK(!throws<estorepp::not_found_error>([&] {
        try {
            second_writer();
        } catch (const estorepp::locked_error &) {
        }
    }));

    try {
        (void)estorepp::store::open("nowhere", options().mode(open_mode::existing));
        CHECK(false);
    } catch (const estorepp::not_found_error &e) {
        CHECK(std::strstr(e.what(), "nowhere") != nullptr);
        CHECK(e.code() == errc::not_found && e.code().value() == ESTORE_ERR_NOT_FOUND && e.code().category() == estorepp::category());
        CHECK(e.code() == std::errc::no_such_file_or_directory && e.code() != std::errc::file_exists);
        CHECK(std::strcmp(e.code().category().name(), "estore") == 0);
        CHECK(e.code().message() == estore_strerror(ESTORE_ERR_NOT_FOUND));
        CHECK(e.offset() == ESTORE_NO_OFFSET);
    }
    try {
        (void)estorepp::store::open("file");
        CHECK(false);
    } catch (const estorepp::not_a_folder_error &e) {
        CHECK(e.code() == std::errc::not_a_directory);
    }

    CHECK(code_of([&] { store.append(event(1, "four")); }) == errc::too_large);
    CHECK(code_of([&] { store.append({{0, ""}, {UINT64_MAX / 2, ""}, {UINT64_MAX, ""}}); }) == errc::too_many_chunks);
    CHECK(code_of([&] { (void)store.count(2, 1); }) == std::errc::invalid_argument);
    CHECK(code_of([&] { (void)estorepp::store::open("store", options().mode(open_mode::create_new)); }) == std::errc::file_exists);
    CHECK(code_of([&] { (void)estorepp::store::open({"a\0b", 3}); }) == errc::invalid);
    CHECK(code_of([&] { (void)estorepp::store::open(""); }) == errc::invalid);
    store.close();
    CHECK(code_of([] { (void)estorepp::store::open("store", options().grace(1s)); }) == errc::settings);
    CHECK(code_of([] { (void)estorepp::efile::open("store"); }) == errc::not_a_store);

    auto reader = estorepp::store::open("store", options().mode(open_mode::read_only));
    CHECK(code_of([&] { reader.append(event(2, "b")); }) == errc::read_only);
    CHECK(code_of([&] { reader.delete_before(2); }) == errc::read_only);
    CHECK(reader.count() == 1);

    // Each status that the library knows has its class.
    estore_status status = -1;
    for (; std::strcmp(estore_strerror(status), "unknown status") != 0; status--) {
        try {
            estorepp::detail::fail<void>(estorepp::error(status, "", 0, 0));
            CHECK(false);
        } catch (const estorepp::error &e) {
            CHECK(typeid(e) != typeid(estorepp::error) && e.code().value() == status);
        }
    }
    CHECK(status < ESTORE_ERR_MISSING_FEATURE);

    // A number of a later library is an error like any other.
    const estorepp::error later(-999, "", 0, ESTORE_NO_OFFSET);
    CHECK(later.code().value() == -999 && std::strcmp(later.what(), "unknown status") == 0);
    CHECK(later.code() != errc::invalid && later.os_errno() == 0);
}
