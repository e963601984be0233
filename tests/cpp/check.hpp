// What the test programs share: a check that says where it failed, and short names for what every program does. Each program is started in
// an empty folder of its own, so it calls its stores by plain names.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <estore.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
            std::exit(1);                                                                   \
        }                                                                                   \
    } while (0)

using estorepp::errc;
using estorepp::event;
using estorepp::options;
using estorepp::read_options;
using namespace std::chrono_literals;

// What a reader gives, as one text: "a b c".
inline std::string texts(estorepp::reader reader)
{
    std::string all;
    for (const event &e : reader)
        all += (all.empty() ? "" : " ") + std::string(e.text());
    return all;
}

#if ESTOREPP_EXCEPTIONS

// With which code a call fails; none if it does not.
template <class F>
std::error_code code_of(F &&call)
{
    try {
        call();
    } catch (const estorepp::error &e) {
        CHECK(e.what()[0] != '\0');
        return e.code();
    }
    return {};
}

// Whether a call throws this class.
template <class E, class F>
bool throws(F &&call)
{
    try {
        call();
    } catch (const E &) {
        return true;
    }
    return false;
}

#endif

// Flips a bit of a file.
inline void flip(const char *path, long at)
{
    std::FILE *file = std::fopen(path, "r+b");
    CHECK(file != nullptr && std::fseek(file, at, SEEK_SET) == 0);
    const int byte = std::fgetc(file);
    CHECK(byte != EOF && std::fseek(file, at, SEEK_SET) == 0 && std::fputc(byte ^ 8, file) != EOF && std::fclose(file) == 0);
}

#endif
