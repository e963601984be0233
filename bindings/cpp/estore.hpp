/*
 * estore for C++17 and later: one header on top of estore.h, whose opening comment explains events, times, durability, damage and limits.
 *
 * A WHOLE PROGRAM
 *
 *     #include <estore.hpp>
 *     #include <iostream>
 *
 *     int main()
 *     {
 *         using namespace std::chrono_literals;
 *         using estorepp::event;
 *         try {
 *             auto store = estorepp::store::open("events", estorepp::options().grace(10s));
 *             const auto noon = std::chrono::system_clock::time_point(1700049600s);
 *             store.append({event::at(noon + 2s, "21.5"), event::at(noon, "21.3"), event::at(noon - 1h, "19.0")});
 *             for (const event &e : store.read(noon))
 *                 std::cout << e.time << ' ' << e.text() << '\n';
 *             store.close();
 *         } catch (const estorepp::error &e) {
 *             std::cerr << e.what() << '\n';
 *             return 1;
 *         }
 *     }
 *
 *     c++ -std=c++17 program.cpp -lestore
 *
 * NAMES
 *
 * The namespace is estorepp, since C++ does not let a namespace share its name with the type estore of the C header. That header also has
 * an efile of its own, so write estorepp::efile in full rather than `using namespace estorepp`.
 *
 * HANDLES
 *
 * store, efile, reader, tail, exchange, event_export, bytes and options own a handle each. They move and do not copy, and may end in any
 * order: a reader goes on when its store has been closed. A destructor closes without a word; close() tells whether it worked, which matters
 * for a store that was written to.
 * Whatever is asked of a handle that was closed or moved from fails with errc::closed. What estore.h says of threads and fork holds here
 * too: a store is used by any number of threads at once, all else by one at a time; nobody else may use a handle while it is
 * closed, moved or destroyed.
 *
 * EVENTS ARE VIEWS
 *
 * An event does not own its data. One that you append points to your bytes, which must live until the call returns. One that you read
 * points into its reader, and ends with the next batch, at the latest when the loop goes on: copy what is kept longer, as in
 * std::string(e.text()). An event has the layout of estore_event, so a vector or array of them reaches the library in one call, uncopied.
 *
 * ERRORS
 *
 * What fails throws an error or a class derived from it, one for each errc: not_found_error, locked_error, corrupt_error and so on.
 *
 *     catch (const estorepp::locked_error &) { ... }
 *     catch (const estorepp::error &e) { if (e.code() == std::errc::no_space_on_device) ... }
 *
 * Without exceptions (-fno-exceptions, or ESTOREPP_NO_EXCEPTIONS defined before including this) the same functions return a result<T>,
 * which holds the value or the error, in the manner of std::expected:
 *
 *     auto store = estorepp::store::open("events");
 *     if (!store) return complain(store.error().what());
 *     if (auto seq = store->append(batch); !seq) return complain(seq.error().what());
 *
 * In the text below "returns" means the value, and "fails" means throwing or returning an error. Only two things differ otherwise, both
 * said where they are: a loop over a reader or tail, and options. Statuses that a function may fail with are those of the C function that it
 * names.
 * Running out of memory throws std::bad_alloc, or ends a program that has no exceptions.
 *
 * TIMES
 *
 * Times and durations are nanoseconds, as an unsigned 64-bit number or from std::chrono: time points of system_clock, durations of any
 * unit, rounded down to whole nanoseconds. What does not fit (before 1970, negative, after the year 2554) is refused with errc::invalid by
 * the function that it is given to.
 */
#ifndef ESTORE_HPP
#define ESTORE_HPP

#include <estore.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <ratio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

/** 1 if failures throw, 0 if functions return a result. */
#if defined(ESTOREPP_NO_EXCEPTIONS) || !defined(__cpp_exceptions)
#define ESTOREPP_EXCEPTIONS 0
#else
#define ESTOREPP_EXCEPTIONS 1
#endif

namespace estorepp {

// One program may mix files of both modes: the names that the linker sees differ.
#if ESTOREPP_EXCEPTIONS
inline namespace throwing {
#else
inline namespace returning {
#endif

/* Errors */

/**
 * What went wrong, in one word: the negative statuses of estore.h, where each is explained, and the gap of a tail. A later library may have
 * more.
 */
enum class errc : std::int32_t {
    gap = ESTORE_GAP,
    invalid = ESTORE_ERR_INVALID,
    io = ESTORE_ERR_IO,
    corrupt = ESTORE_ERR_CORRUPT,
    not_found = ESTORE_ERR_NOT_FOUND,
    exists = ESTORE_ERR_EXISTS,
    locked = ESTORE_ERR_LOCKED,
    read_only = ESTORE_ERR_READ_ONLY,
    no_space = ESTORE_ERR_NO_SPACE,
    poisoned = ESTORE_ERR_POISONED,
    outcome_unknown = ESTORE_ERR_OUTCOME_UNKNOWN,
    too_large = ESTORE_ERR_TOO_LARGE,
    settings = ESTORE_ERR_SETTINGS,
    newer_format = ESTORE_ERR_NEWER_FORMAT,
    foreign_files = ESTORE_ERR_FOREIGN_FILES,
    not_a_folder = ESTORE_ERR_NOT_A_FOLDER,
    too_many_chunks = ESTORE_ERR_TOO_MANY_CHUNKS,
    closed = ESTORE_ERR_CLOSED,
    forked = ESTORE_ERR_FORKED,
    panic = ESTORE_ERR_PANIC,
    gone = ESTORE_ERR_GONE,
    not_a_store = ESTORE_ERR_NOT_A_STORE,
    permission = ESTORE_ERR_PERMISSION,
    range = ESTORE_ERR_RANGE,
    missing_feature = ESTORE_ERR_MISSING_FEATURE
};

namespace detail {

class error_category final : public std::error_category {
public:
    const char *name() const noexcept override { return "estore"; }
    std::string message(int code) const override { return ::estore_strerror(code); }
    std::error_condition default_error_condition(int code) const noexcept override
    {
        switch (static_cast<errc>(code)) {
        case errc::invalid:
        case errc::range: return std::errc::invalid_argument;
        case errc::io: return std::errc::io_error;
        case errc::not_found: return std::errc::no_such_file_or_directory;
        case errc::exists: return std::errc::file_exists;
        case errc::locked: return std::errc::device_or_resource_busy;
        case errc::no_space: return std::errc::no_space_on_device;
        case errc::not_a_folder: return std::errc::not_a_directory;
        case errc::permission: return std::errc::permission_denied;
        default: return {code, *this};
        }
    }
};

} // namespace detail

/** The category of all error codes of estore. Those that mean what a std::errc means compare equal to it. */
inline const std::error_category &category() noexcept
{
    static const detail::error_category instance;
    return instance;
}

/** Makes errc and std::error_code comparable. */
inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), category()}; }

/** What exactly went wrong. what() says it in words, with the file that it concerns. The base of all that this header throws. */
class error : public std::runtime_error {
public:
    /** Used by this header. */
    error(estore_status status, const char *message, std::int32_t os_errno, std::uint64_t offset)
        : std::runtime_error(message[0] != '\0' ? message : ::estore_strerror(status)), status_(status), os_errno_(os_errno),
          offset_(offset)
    {
    }

    /** Compares with errc and std::errc; its value() is the status of the C function. */
    std::error_code code() const noexcept { return {status_, category()}; }
    /** The error number of the operating system (errno), or 0. */
    int os_errno() const noexcept { return os_errno_; }
    /** The byte in the file that the message names, or ESTORE_NO_OFFSET. */
    std::uint64_t offset() const noexcept { return offset_; }

private:
    estore_status status_;
    std::int32_t os_errno_;
    std::uint64_t offset_;
};

/** The error of one errc, to be caught by the names below. */
template <errc Code>
class error_of : public error {
public:
    /** Used by this header. */
    explicit error_of(const error &e) : error(e) {}
};

/** Events were deleted before a tail gave them. Told once: asked again, the tail goes on. */
using gap_error = error_of<errc::gap>;
/** An argument that can never work. */
using invalid_error = error_of<errc::invalid>;
/** The operating system refused something: see os_errno(). */
using io_error = error_of<errc::io>;
/** Bytes on disk are not what was written: see offset(). */
using corrupt_error = error_of<errc::corrupt>;
/** There is nothing at this path. */
using not_found_error = error_of<errc::not_found>;
/** There is a store already. */
using exists_error = error_of<errc::exists>;
/** Another writer has the store open. */
using locked_error = error_of<errc::locked>;
/** The store was opened for reading only. */
using read_only_error = error_of<errc::read_only>;
/** The disk is full. Nothing was changed: try again later. */
using no_space_error = error_of<errc::no_space>;
/** An earlier write failed. Open the store again to go on. */
using poisoned_error = error_of<errc::poisoned>;
/** Whether the batch is stored is known only after opening again. */
using outcome_unknown_error = error_of<errc::outcome_unknown>;
/** An event is too large. Nothing of its batch was stored. */
using too_large_error = error_of<errc::too_large>;
/** The store was made with other settings. */
using settings_error = error_of<errc::settings>;
/** The store needs a newer library. */
using newer_format_error = error_of<errc::newer_format>;
/** The folder for a new store holds files of somebody else. */
using foreign_files_error = error_of<errc::foreign_files>;
/** The path is something else than a folder. */
using not_a_folder_error = error_of<errc::not_a_folder>;
/** A batch would make too many chunks. Nothing of it was stored. */
using too_many_chunks_error = error_of<errc::too_many_chunks>;
/** The handle was closed or moved from. */
using closed_error = error_of<errc::closed>;
/** The handle belongs to the parent of this process. */
using forked_error = error_of<errc::forked>;
/** An internal error of the library. Please report it. */
using panic_error = error_of<errc::panic>;
/** Another process removed a file that a reader still needs. */
using gone_error = error_of<errc::gone>;
/** The folder is no store, or one of the other kind. */
using not_a_store_error = error_of<errc::not_a_store>;
/** No permission, or a read-only file system. */
using permission_error = error_of<errc::permission>;
/** The end of a range lies before its start. */
using range_error = error_of<errc::range>;
/** The library was built without a feature that an option asks for, or that a compressed chunk needs to be read. */
using missing_feature_error = error_of<errc::missing_feature>;

#if ESTOREPP_EXCEPTIONS

/** What functions return that can fail: the value itself, since failures throw. */
template <class T>
using result = T;

#else

/**
 * What functions return that can fail: the value or the error. Asking for the one that is not there ends the program (std::abort).
 * Threads: as for the value.
 */
template <class T>
class [[nodiscard]] result {
public:
    result(T value) : value_(std::move(value)) {}
    result(const estorepp::error &e) : error_(std::make_unique<estorepp::error>(e)) {}

    /** Whether there is a value. */
    explicit operator bool() const noexcept { return value_.has_value(); }
    bool has_value() const noexcept { return value_.has_value(); }

    T &value() & { return value_ ? *value_ : (std::abort(), *value_); }
    const T &value() const & { return value_ ? *value_ : (std::abort(), *value_); }
    /** By value, so that `for (const event &e : *store->read())` is sound. */
    T value() && { return std::move(value()); }

    T &operator*() & { return value(); }
    const T &operator*() const & { return value(); }
    T operator*() && { return std::move(value()); }
    T *operator->() { return &value(); }
    const T *operator->() const { return &value(); }

    const estorepp::error &error() const { return error_ ? *error_ : (std::abort(), *error_); }

private:
    std::optional<T> value_;
    std::unique_ptr<estorepp::error> error_;
};

/** The same for functions that return nothing. */
template <>
class [[nodiscard]] result<void> {
public:
    result() = default;
    result(const estorepp::error &e) : error_(std::make_unique<estorepp::error>(e)) {}

    explicit operator bool() const noexcept { return !error_; }
    bool has_value() const noexcept { return !error_; }
    void value() const { error_ ? std::abort() : void(); }

    const estorepp::error &error() const { return error_ ? *error_ : (std::abort(), *error_); }

private:
    std::unique_ptr<estorepp::error> error_;
};

#endif

namespace detail {

#if ESTOREPP_EXCEPTIONS

template <errc... Codes>
[[noreturn]] void raise_one_of(const error &e)
{
    ((e.code().value() == static_cast<int>(Codes) ? throw error_of<Codes>(e) : void()), ...);
    throw e;
}

#endif

// The one place where a failure becomes an exception or a result.
template <class T>
result<T> fail(const error &e)
{
#if ESTOREPP_EXCEPTIONS
    raise_one_of<errc::gap, errc::invalid, errc::io, errc::corrupt, errc::not_found, errc::exists, errc::locked, errc::read_only, errc::no_space,
                 errc::poisoned, errc::outcome_unknown, errc::too_large, errc::settings, errc::newer_format, errc::foreign_files,
                 errc::not_a_folder, errc::too_many_chunks, errc::closed, errc::forked, errc::panic, errc::gone, errc::not_a_store,
                 errc::permission, errc::range, errc::missing_feature>(e);
#else
    return e;
#endif
}

template <class T = void>
result<T> refuse(errc code, const char *message)
{
    return fail<T>(error(static_cast<estore_status>(code), message, 0, ESTORE_NO_OFFSET));
}

// What a C function answered: its status, its output if that is fine, the detail if it is not.
template <class T>
struct answer {
    estore_status status = ESTORE_OK;
    T value{};
    estore_error err = ESTORE_ERROR_INIT;

    bool failed() const noexcept { return status < 0 || status == ESTORE_GAP; }
    error what() const { return {status, err.message, err.os_errno, err.offset}; }

    result<T> give() const { return failed() ? fail<T>(what()) : result<T>(value); }
    result<void> give_nothing() const { return failed() ? fail<void>(what()) : result<void>(); }
};

// Runs what must not throw into the library; answers what it threw.
template <class F>
std::exception_ptr caught(F &&f) noexcept
{
#if ESTOREPP_EXCEPTIONS
    try {
        f();
    } catch (...) {
        return std::current_exception();
    }
#else
    f();
#endif
    return nullptr;
}

inline void rethrow([[maybe_unused]] const std::exception_ptr &thrown)
{
#if ESTOREPP_EXCEPTIONS
    if (thrown)
        std::rethrow_exception(thrown);
#endif
}

// Nanoseconds, and whether what they were made from fits into them.
class nanoseconds {
public:
    template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
    constexpr nanoseconds(I count) noexcept : nanoseconds(std::chrono::duration<I, std::nano>(count))
    {
    }

    template <class Rep, class Period>
    constexpr nanoseconds(std::chrono::duration<Rep, Period> d) noexcept
    {
        using ratio = std::ratio_divide<Period, std::nano>;
        constexpr auto most = std::numeric_limits<std::uint64_t>::max();
        constexpr auto num = static_cast<std::uint64_t>(ratio::num), den = static_cast<std::uint64_t>(ratio::den);
        if constexpr (std::is_integral_v<Rep>) {
            const auto count = static_cast<std::uint64_t>(d.count());
            // count * num / den without an overflow on the way.
            const std::uint64_t whole = count / den, rest = count % den * num / den;
            fits_ = d.count() >= Rep{0} && whole <= (most - rest) / num;
            ns_ = fits_ ? whole * num + rest : 0;
        } else {
            const long double count = static_cast<long double>(d.count()) * num / den;
            fits_ = count >= 0 && count < 18446744073709551616.0L; // 2^64; also false for what is no number
            ns_ = fits_ ? static_cast<std::uint64_t>(count) : 0;
        }
    }

    /** Nanoseconds; 0 if it does not fit. */
    constexpr std::uint64_t ns() const noexcept { return ns_; }
    /** Whether it is a number of nanoseconds from 0 to 2^64 - 1. */
    constexpr bool fits() const noexcept { return fits_; }

private:
    std::uint64_t ns_ = 0;
    bool fits_ = false;
};

// How arguments reach a C function: times as numbers once they were found to fit, all else as it is.
constexpr bool fits(const nanoseconds &time) noexcept { return time.fits(); }
constexpr std::uint64_t plain(const nanoseconds &time) noexcept { return time.ns(); }
template <class T>
constexpr std::enable_if_t<!std::is_base_of_v<nanoseconds, T>, bool> fits(const T &) noexcept
{
    return true;
}
template <class T>
constexpr std::enable_if_t<!std::is_base_of_v<nanoseconds, T>, const T &> plain(const T &value) noexcept
{
    return value;
}

inline constexpr const char *unfit_time = "a time or duration that is negative, or too long for 64 bits of nanoseconds";

} // namespace detail

/* Times */

/** A point of time as functions take it: any integer (nanoseconds since 1970), or a time point of std::chrono::system_clock. */
class timestamp : public detail::nanoseconds {
public:
    template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
    constexpr timestamp(I ns) noexcept : nanoseconds(ns)
    {
    }
    template <class D>
    constexpr timestamp(std::chrono::time_point<std::chrono::system_clock, D> time) noexcept : nanoseconds(time.time_since_epoch())
    {
    }
};

/** A duration as functions take it: any integer (nanoseconds), or a std::chrono::duration. */
class duration : public detail::nanoseconds {
public:
    template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
    constexpr duration(I ns) noexcept : nanoseconds(ns)
    {
    }
    template <class Rep, class Period>
    constexpr duration(std::chrono::duration<Rep, Period> d) noexcept : nanoseconds(d)
    {
    }
};

/** As the end of a range: no end. */
inline constexpr timestamp forever = std::numeric_limits<std::uint64_t>::max();

/** A time as std::chrono knows it. */
using time_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/** Nanoseconds since 1970 as a time point. Fails with errc::invalid after the year 2262, where std::chrono ends. */
inline result<time_point> to_time_point(std::uint64_t ns)
{
    if (ns > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return detail::refuse<time_point>(errc::invalid, "a time after the year 2262 is no time point of std::chrono");
    return time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

/** The wall clock: nanoseconds since 1970, 0 if it stands before (estore_now). Any thread. */
inline std::uint64_t now() noexcept { return ::estore_now(); }

/**
 * Understands a duration as people type it, such as 1d, 500ms or 1h30m (estore_duration_parse). Fails with errc::invalid if the text is no
 * duration, or is longer than the 292 years that std::chrono::nanoseconds hold. Any thread.
 */
inline result<std::chrono::nanoseconds> parse_duration(std::string_view text)
{
    detail::answer<std::uint64_t> ns;
    ns.status = ::estore_duration_parse(text.data(), text.size(), &ns.value, &ns.err);
    if (ns.failed())
        return detail::fail<std::chrono::nanoseconds>(ns.what());
    if (ns.value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return detail::refuse<std::chrono::nanoseconds>(errc::invalid, "a duration of more than 292 years");
    return std::chrono::nanoseconds(static_cast<std::int64_t>(ns.value));
}

/* Versions */

/** The version of the library that the program runs with, such as "0.1.0" (estore_version). Static. Any thread. */
inline std::string_view version() noexcept { return ::estore_version(); }

/** The same as one number, to compare with the ESTORE_VERSION_NUMBER that the program was built with (estore_version_number). */
inline std::uint32_t version_number() noexcept { return ::estore_version_number(); }

/* Views */

/**
 * Consecutive objects of somebody else, as std::span: made from a pointer and a number, or from whatever has std::data and std::size
 * (vector, array, C array, span). Valid as long as they are.
 */
template <class T>
class view {
public:
    constexpr view() noexcept = default;
    constexpr view(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <class C, class E = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))>,
              class = std::enable_if_t<std::is_convertible_v<E (*)[], T (*)[]>>>
    constexpr view(C &&objects) noexcept : data_(std::data(objects)), size_(std::size(objects))
    {
    }

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t at) const noexcept { return data_[at]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

namespace detail {

// Whether C holds consecutive bytes of any type: char, unsigned char, std::byte, char8_t. Arrays of char are texts, which end in NUL.
template <class C, class E = std::remove_cv_t<std::remove_pointer_t<decltype(std::data(std::declval<const C &>()))>>>
inline constexpr bool holds_bytes = sizeof(E) == 1 && (std::is_integral_v<E> || std::is_same_v<E, std::byte>) && !std::is_same_v<E, bool> &&
                                    !(std::is_array_v<C> && std::is_same_v<E, char>);

} // namespace detail

/** The bytes of somebody else: made from a text, from any contiguous container of bytes or chars, or from a pointer and a length. */
class byte_view : public view<const std::uint8_t> {
public:
    constexpr byte_view() noexcept = default;
    byte_view(const void *data, std::size_t size) noexcept : view(static_cast<const std::uint8_t *>(data), size) {}
    /** A text that ends in NUL, such as a literal. */
    byte_view(const char *text) noexcept : byte_view(std::string_view(text)) {}
    byte_view(std::string_view text) noexcept : byte_view(text.data(), text.size()) {}
    template <class C, class = std::enable_if_t<detail::holds_bytes<C>>>
    byte_view(const C &bytes) noexcept : byte_view(static_cast<const void *>(std::data(bytes)), std::size(bytes))
    {
    }
};

/* Events */

/**
 * An event: estore_event with a few functions. Its members time (nanoseconds), seq (the arrival number, given by the store), data, len and
 * id may be read and set. Two events with equal time, id and data are the same event. Does not own its data: see the top.
 */
struct event : ::estore_event {
    /** Time 0 without data, to be filled. */
    constexpr event() noexcept : ::estore_event{} {}

    /**
     * An event to append. ns: nanoseconds since 1970. with_id: tells apart events that are equal otherwise. Data of 4 GiB or more, whose
     * length does not fit, gets the largest length there is, which every store refuses with errc::too_large.
     */
    event(std::uint64_t ns, byte_view payload, std::uint32_t with_id = 0) noexcept
        : ::estore_event{ns, 0, payload.data(), static_cast<std::uint32_t>(payload.size()), with_id}
    {
        if (payload.size() > UINT32_MAX)
            len = UINT32_MAX;
    }

    /** The same for times of std::chrono. Fails with errc::invalid before 1970 and after 2554. */
    static result<event> at(timestamp when, byte_view payload, std::uint32_t with_id = 0)
    {
        return when.fits() ? result<event>(event(when.ns(), payload, with_id)) : detail::refuse<event>(errc::invalid, detail::unfit_time);
    }

    /** An event that happens now, with a random id (estore_event_init). */
    static result<event> now(byte_view payload)
    {
        detail::answer<event> made;
        made.status = ::estore_event_init(&made.value, payload.data(), payload.size());
        return made.give();
    }

    /** A random id (estore_event_id). Any thread. */
    static std::uint32_t new_id() noexcept { return ::estore_event_id(); }

    /** The data as text. Lives as long as the data. */
    std::string_view text() const noexcept
    {
        return len == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char *>(data), len);
    }
    /** The data as bytes. Lives as long as the data. */
    byte_view bytes() const noexcept { return len == 0 ? byte_view() : byte_view(data, len); }
    /** The time as a time point. Fails with errc::invalid after the year 2262. */
    result<time_point> when() const { return to_time_point(time); }
};

static_assert(sizeof(event) == sizeof(::estore_event) && alignof(event) == alignof(::estore_event) && std::is_standard_layout_v<event> &&
                  std::is_trivially_copyable_v<event>,
              "batches of events reach the library as they are");

/* Options */

/** What opening does when there is, or is no, store (estore_options_set_mode). */
enum class open_mode : std::int32_t {
    create_if_missing = ESTORE_MODE_CREATE_IF_MISSING, /**< The default. */
    create_new = ESTORE_MODE_CREATE_NEW,               /**< One that is there already fails with errc::exists. */
    existing = ESTORE_MODE_EXISTING,                   /**< A missing one fails with errc::not_found. */
    read_only = ESTORE_MODE_READ_ONLY                  /**< As of now, without a lock, beside a writer. */
};

/** What an append survives once it has returned (estore_options_set_durability). */
enum class durability_level : std::int32_t {
    buffered = ESTORE_DURABILITY_BUFFERED, /**< Nothing, until the buffer was written. */
    process = ESTORE_DURABILITY_PROCESS,   /**< The death of the process. */
    interval = ESTORE_DURABILITY_INTERVAL, /**< The death of the process, and after the interval loss of power. The default. */
    power = ESTORE_DURABILITY_POWER        /**< Loss of power. */
};

/** How compaction stores events (estore_options_set_compression). */
enum class compression_kind : std::int32_t {
    none = ESTORE_COMPRESSION_NONE, /**< As they are. */
    lz4 = ESTORE_COMPRESSION_LZ4    /**< Compressed with LZ4, if they get smaller by it. */
};

/** How important a message is. */
enum class log_level : std::int32_t {
    error = ESTORE_LOG_ERROR,     /**< Damage, or an operation that failed. */
    warning = ESTORE_LOG_WARNING, /**< Something was repaired, cut or given up. */
    info = ESTORE_LOG_INFO        /**< Opening, closing, recovery. */
};

/** Receives messages of a store; see options::log. */
using log_function = std::function<void(log_level level, std::string_view message)>;

namespace detail {

// Owns a C handle, and the log function that the library may call as long as the handle lives.
template <class T, estore_status (*Close)(T **, estore_error *)>
class owned {
public:
    owned() noexcept = default;
    explicit owned(T *handle, std::shared_ptr<const log_function> log = nullptr) noexcept : handle_(handle), log_(std::move(log)) {}
    owned(owned &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)), log_(std::move(other.log_)) {}
    owned &operator=(owned &&other) noexcept
    {
        if (this != &other) {
            close();
            handle_ = std::exchange(other.handle_, nullptr);
            log_ = std::move(other.log_);
        }
        return *this;
    }
    ~owned() { close(); }

    T *get() const noexcept { return handle_; }
    const std::shared_ptr<const log_function> &log() const noexcept { return log_; }
    void keep(std::shared_ptr<const log_function> log) noexcept { log_ = std::move(log); }

    answer<std::nullptr_t> close() noexcept
    {
        answer<std::nullptr_t> a;
        a.status = Close(&handle_, &a.err);
        if (handle_ == nullptr)
            log_.reset();
        return a;
    }

    // Calls f(handle, arguments..., &output, &err).
    template <class O, class F, class... Arguments>
    answer<O> ask(F f, const Arguments &...arguments) const
    {
        answer<O> a;
        if (ready(a, arguments...))
            a.status = f(handle_, plain(arguments)..., &a.value, &a.err);
        return a;
    }

    // Calls f(handle, arguments..., &err).
    template <class F, class... Arguments>
    answer<std::nullptr_t> tell(F f, const Arguments &...arguments) const
    {
        answer<std::nullptr_t> a;
        if (ready(a, arguments...))
            a.status = f(handle_, plain(arguments)..., &a.err);
        return a;
    }

private:
    template <class O, class... Arguments>
    bool ready(answer<O> &a, const Arguments &...arguments) const
    {
        if (handle_ == nullptr)
            return refuse(a, errc::closed, "the handle was closed or moved from");
        return (fits(arguments) && ...) || refuse(a, errc::invalid, unfit_time);
    }

    template <class O>
    static bool refuse(answer<O> &a, errc code, std::string_view message)
    {
        a.status = static_cast<estore_status>(code);
        message.copy(a.err.message, sizeof a.err.message - 1);
        return false;
    }

    T *handle_ = nullptr;
    std::shared_ptr<const log_function> log_;
};

inline estore_status free_options(::estore_options **options, ::estore_error *) { return ::estore_options_free(options); }

// Called by the library. What the function throws is dropped: there is nobody to tell.
inline void log_message(void *log, std::int32_t level, const char *message, std::size_t len) noexcept
{
    caught([&] { (*static_cast<const log_function *>(log))(static_cast<log_level>(level), {message, len}); });
}

template <class Self, class Api>
class basic_store;

} // namespace detail

/**
 * How to make or open a store. Each setter returns the options, so that they can be strung together:
 *
 *     store::open("events", options().file_size(1h).durability(durability_level::power))
 *
 * A setter that is given nonsense fails with errc::invalid and changes nothing. Without exceptions the options remember the first such
 * failure, and opening with them returns it. One set of options may open any number of stores. Used by one thread at a time.
 */
class options {
public:
    /** The defaults (estore_options_new). */
    options() : handle_(::estore_options_new()) {}
    options(options &&) noexcept = default;
    options &operator=(options &&) noexcept = default;

    /** What opening does when there is, or is no, store. */
    options &mode(open_mode mode) { return set("mode", ::estore_options_set_mode, static_cast<std::int32_t>(mode)); }

    /** What an append survives. interval: for durability_level::interval the longest time until a sync, at least 1 ns. */
    options &durability(durability_level level, duration interval = std::chrono::seconds(1))
    {
        return set("durability", ::estore_options_set_durability, static_cast<std::int32_t>(level), interval);
    }

    /** The time range of one chunk of a new store, at least 1 ns; one day by default. An efile refuses it. */
    options &file_size(duration range) { return set("file_size", ::estore_options_set_file_size_ns, range); }

    /** How far an event of a new store may lie behind the newest of its chunk before it is late; one minute by default. */
    options &grace(duration grace) { return set("grace", ::estore_options_set_grace_ns, grace); }

    /** The largest event that is appended, in bytes, at most 1 GiB; 16 MiB by default. */
    options &max_event_len(std::uint32_t bytes) { return set("max_event_len", ::estore_options_set_max_event_len, bytes); }

    /** How many chunks one batch may create, at least 1; 1024 by default. */
    options &max_new_chunks(std::size_t chunks) { return set("max_new_chunks", ::estore_options_set_max_new_chunks, chunks); }

    /** How many logs are kept open for appending, at least 1; 64 by default. */
    options &max_open_logs(std::size_t logs) { return set("max_open_logs", ::estore_options_set_max_open_logs, logs); }

    /** The buffer of durability_level::buffered: it is written once it holds so many bytes (at least 1), or is so old. */
    options &buffer(std::size_t bytes, duration age = std::chrono::seconds(1))
    {
        return set("buffer", ::estore_options_set_buffer, bytes, age);
    }

    /** Whether index files are written and used (the default) or the logs scanned instead. */
    options &index(bool on) { return set("index", ::estore_options_set_no_index, std::int32_t{!on}); }

    /** Whether the store may have threads of its own (the default); without them, call tick() and compact() (estore_options_set_background). */
    options &background(bool on) { return set("background", ::estore_options_set_background, std::int32_t{on}); }

    /** Whether the store may compact by itself, on a thread of its own, as it does by default; see compact. */
    options &compaction(bool on) { return set("compaction", ::estore_options_set_compaction, std::int32_t{on}); }

    /**
     * How compaction stores events; if it is never said, a chunk's stay as they are. Past chunks are then compressed by themselves too, and
     * compact() compacts those anew that are stored in another way. Reading needs no option.
     */
    options &compression(compression_kind kind)
    {
        const auto setter = [](::estore_options *to, std::int32_t number) { return ::estore_options_set_compression(to, number, nullptr); };
        return set("compression", setter, static_cast<std::int32_t>(kind));
    }

    /**
     * The greatest age of events, none by default: chunks all of whose events are older go by themselves, for good. Counted from the clock or
     * the newest time that two events have reached, whichever is smaller; what is live stays (estore_options_set_max_age_ns). An efile
     * refuses it.
     */
    options &max_age(duration age) { return set("max_age", ::estore_options_set_max_age_ns, age); }

    /** The greatest size on disk, none by default: as long as all chunks take more, the oldest goes (estore_options_set_max_bytes). */
    options &max_bytes(std::uint64_t bytes) { return set("max_bytes", ::estore_options_set_max_bytes, bytes); }

    /**
     * Who receives the messages; nobody by default, or if the function is empty. Called by any thread that calls the library, and by those
     * of the store, perhaps by several at once. Must not use the same store. What it throws is dropped. The message ends with the call. The
     * function lives as long as a store or reader that was opened with it.
     */
    options &log(log_function function)
    {
        std::shared_ptr<const log_function> shared = function ? std::make_shared<const log_function>(std::move(function)) : nullptr;
        void *userdata = const_cast<log_function *>(shared.get());
        set("log", ::estore_options_set_log, shared ? &detail::log_message : nullptr, userdata);
        handle_.keep(std::move(shared));
        return *this;
    }

    /** The handle, for functions of estore.h. Stays owned by this. */
    ::estore_options *native_handle() const noexcept { return handle_.get(); }

private:
    template <class Self, class Api>
    friend class detail::basic_store;

    template <class F, class... Arguments>
    options &set(const char *name, F setter, const Arguments &...arguments)
    {
        const bool fit = (detail::fits(arguments) && ...);
        estore_status status = ESTORE_ERR_INVALID;
        if (handle_.get() == nullptr)
            status = ESTORE_ERR_CLOSED;
        else if (fit)
            status = setter(handle_.get(), detail::plain(arguments)...);
        if (status < 0) {
            const std::string message = std::string("option ") + name + ": " + (fit ? ::estore_strerror(status) : detail::unfit_time);
            const error e(status, message.c_str(), 0, ESTORE_NO_OFFSET);
#if ESTOREPP_EXCEPTIONS
            detail::fail<void>(e);
#else
            if (!failure_)
                failure_ = std::make_unique<error>(e);
#endif
        }
        return *this;
    }

    detail::owned<::estore_options, &detail::free_options> handle_;
    std::unique_ptr<error> failure_; // without exceptions: the first
};

/** How to read: which way, how many, whether past damage. Each function answers with changed options: read_options().reverse().limit(9) */
class read_options {
public:
    /** Newest first: exactly the forward order reversed. */
    constexpr read_options reverse() const noexcept { return {flags_ | ESTORE_READ_REVERSE, limit_}; }
    /** At most so many events, counted from where reading starts; 0 for no limit. */
    constexpr read_options limit(std::uint64_t events) const noexcept { return {flags_, events}; }
    /** The newest so many events (at least 1), still oldest first. */
    constexpr read_options last(std::uint64_t events) const noexcept { return {flags_ | ESTORE_READ_LAST, events}; }
    /** Go on at damage: all events outside of it come, and reader::gaps tells what is missing. */
    constexpr read_options salvage() const noexcept { return {flags_ | ESTORE_READ_SALVAGE, limit_}; }

    constexpr read_options() noexcept = default;

private:
    template <class Self, class Api>
    friend class detail::basic_store;

    constexpr read_options(std::uint32_t flags, std::uint64_t limit) noexcept : flags_(flags), limit_(limit) {}

    std::uint32_t flags_ = ESTORE_READ_FORWARD;
    std::uint64_t limit_ = 0;
};

/** What retain is to do: by default, to apply the limits of the store's options. */
class retain_options {
public:
    /** Another greatest age for this once. */
    constexpr retain_options max_age(duration age) const noexcept { return {age, max_bytes_, dry_run_}; }
    /** Another greatest size for this once. */
    constexpr retain_options max_bytes(std::uint64_t bytes) const noexcept { return {max_age_, bytes, dry_run_}; }
    /** Removes nothing, and answers what would be removed. */
    constexpr retain_options dry_run() const noexcept { return {max_age_, max_bytes_, true}; }

    constexpr retain_options() noexcept = default;

private:
    friend class store;

    constexpr retain_options(duration max_age, std::uint64_t max_bytes, bool dry_run) noexcept
        : max_age_(max_age), max_bytes_(max_bytes), dry_run_(dry_run)
    {
    }

    duration max_age_ = 0;
    std::uint64_t max_bytes_ = 0;
    bool dry_run_ = false;
};

/* What functions return */

/** What append_absent did: stored + present + expired events were given. */
struct absent_result {
    std::uint64_t last_seq = 0; /**< The last seq of the store as of this append. */
    std::uint64_t stored = 0;   /**< Events that were stored. */
    std::uint64_t present = 0;  /**< Events that were there already. */
    std::uint64_t expired = 0;  /**< Events that lay before what was deleted. */
};

/** A range of times in nanoseconds, both inclusive. */
struct time_range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};

/** The numbers of a store. Those that the library does not know are 0. */
struct store_stats {
    std::uint64_t file_size_ns = 0;     /**< The time range of one chunk; 0 for an efile. */
    std::uint64_t grace_ns = 0;         /**< How far an event may lie behind the newest before it is late. */
    std::uint64_t chunks = 0;           /**< Chunks. */
    std::uint64_t events = 0;           /**< Events that reading everything gives. */
    std::uint64_t late_events = 0;      /**< Events that were late when they came, in the chunks that are there. */
    std::uint64_t recon_events = 0;     /**< Events that went through the recon file: the late ones, and stragglers within the grace. */
    std::uint64_t oldest = 0;           /**< The smallest time; UINT64_MAX in an empty store. */
    std::uint64_t newest = 0;           /**< The largest time; 0 in an empty store. */
    std::uint64_t horizon = 0;          /**< Events before this time were deleted. */
    std::uint64_t last_seq = 0;         /**< The last seq given. */
    std::uint64_t durable_seq = 0;      /**< The seq up to which everything survives loss of power. */
    std::uint64_t log_bytes = 0;        /**< Bytes in logs. */
    std::uint64_t recon_bytes = 0;      /**< Bytes in recon files. */
    std::uint64_t index_bytes = 0;      /**< Bytes in index files. */
    std::uint64_t journal_bytes = 0;    /**< Bytes in the journal. */
    std::uint64_t open_logs = 0;        /**< Logs open for appending. */
    std::uint64_t expired = 0;          /**< Events that this handle skipped, since they lay before the horizon. */
    std::uint64_t present = 0;          /**< Events that append_absent of this handle found present. */
    std::uint64_t recovered_events = 0; /**< Events recovered when the store was opened. */
    std::uint64_t cut_bytes = 0;        /**< Bytes of torn tails cut (and kept aside), or not shown to who only reads. */
    std::uint64_t damaged_regions = 0;  /**< Damaged regions in logs that were looked at. */
    std::uint64_t backlog_bytes = 0;    /**< Bytes in the logs of chunks that wait for being compacted. */
    std::uint64_t chunk_bytes = 0;      /**< Bytes of all chunks on disk, as options::max_bytes counts them. */
    std::uint64_t removed_chunks = 0;   /**< Chunks that retention removed through this handle. */
};

/** What kind of thing verify found. */
enum class finding_kind : std::int32_t {
    damage = ESTORE_FINDING_DAMAGE,   /**< Bytes that count are not what was written. Events are lost, or may be. */
    derived = ESTORE_FINDING_DERIVED, /**< An index or recon file is wrong. Nothing is lost; it is made anew. */
    aside = ESTORE_FINDING_ASIDE      /**< Bytes that don't count, which a recovery cut off and kept. */
};

/** One thing that verify found. Its texts end with the call. */
struct finding {
    finding_kind kind;
    std::string_view path; /**< The file. */
    std::uint64_t offset;  /**< The first byte of the file that it concerns. */
    std::uint64_t len;     /**< How many bytes; 0 where it is not a matter of bytes. */
    std::string_view what; /**< In words. */
};

/** What verify counted. */
struct verified {
    std::uint64_t events = 0;  /**< Events that were found whole. */
    std::uint64_t damaged = 0; /**< Findings of the kind damage. */
};

/** How far a call that takes long has come. */
struct progress {
    std::uint64_t done;   /**< Events that are done. */
    std::uint64_t events; /**< Events to do. */
};

/** What compact did. */
struct compacted {
    std::uint64_t bytes_before = 0; /**< Bytes of the logs that were compacted. */
    std::uint64_t bytes_after = 0;  /**< Of those in their place. */
};

/** What snapshot made. */
struct snapshot_info {
    std::uint64_t seq = 0;          /**< The last seq that it shows: where to follow from. */
    std::uint64_t bytes_copied = 0; /**< Bytes of logs that were copied. */
    std::uint64_t bytes_linked = 0; /**< Bytes of logs that it shares with the store. */
    std::uint64_t damaged = 0;      /**< Damaged places in what was copied. */
    bool stopped = false;           /**< on_progress stopped it: the folder is as it was. */
};

/** What retain removed, or would. */
struct retained {
    std::uint64_t horizon = 0; /**< Everything before this time is gone; where it was if no chunk goes. */
    std::uint64_t chunks = 0;  /**< Chunks that went. */
    std::uint64_t events = 0;  /**< Events in them. */
    std::uint64_t bytes = 0;   /**< Bytes on disk that they took, as store_stats::chunk_bytes counts. */
};

/** Bytes that were left out because they are damaged. Its texts end with the call. */
struct gap {
    std::string_view path; /**< The damaged file. */
    std::uint64_t offset;  /**< The first byte left out. */
    std::uint64_t len;     /**< How many. */
    time_range times;      /**< No event that is missing is older or newer. */
    std::string_view what; /**< In words. */
};

/** What a stretch of time holds. */
struct bucket {
    std::uint64_t count = 0;    /**< How many different events. */
    std::uint64_t sum_low = 0;  /**< The sum of their hashes: the low 64 bits, */
    std::uint64_t sum_high = 0; /**< and the high ones. */
};

/**
 * What a time range holds, bucket by bucket: equal for stores that hold the same events. Made by store::digest, or by a program from
 * numbers that came from elsewhere.
 */
struct digest {
    time_range range;
    std::uint64_t width_ns = 0; /**< How long each bucket is; the last one may be shorter. */
    std::uint64_t horizon = 0;  /**< Everything before this time is deleted in the store. */
    std::vector<bucket> buckets;

    /**
     * The times in which the two stores differ, as ranges that don't touch (estore_digest_differences). Times before the later horizon of
     * the two are left out; but the bucket in which it lies may differ just by what is deleted of it. To be exact there, ask both for a
     * range that starts at the later horizon. Fails with errc::invalid if the other is of another range or width. Any thread.
     */
    result<std::vector<time_range>> differences(const digest &other) const;
};

/** What became of the events of one store that another was to have. Each that was compared is one of the others. */
struct copied {
    std::uint64_t compared = 0; /**< Events that were looked at, repeats too. */
    std::uint64_t copied = 0;   /**< Events that the other lacked, and has now. */
    std::uint64_t skipped = 0;  /**< Events that the other has already, and repeats. */
    std::uint64_t expired = 0;  /**< Events that the other has deleted, or would have. */
};

/** What a repair did. */
struct repaired {
    estorepp::copied to;        /**< For the store that was repaired. */
    estorepp::copied from;      /**< For the other one. Nothing is copied there unless that was asked for. */
    std::uint64_t gaps = 0;     /**< Damaged places in the other store: what is in there was not copied. */
    std::uint64_t own_gaps = 0; /**< Damaged places in the store that was repaired: what was in there it was given anew, if the other has it. */
    bool stopped = false;       /**< on_progress stopped it before all was done. */
};

/** How to repair: by default one way, and without a word. repair_options().both_ways().on_gap([](const gap &g) { ... }) */
class repair_options {
public:
    /** Gives the other store what it lacks, too. */
    repair_options &both_ways()
    {
        flags_ |= ESTORE_REPAIR_BOTH_WAYS;
        return *this;
    }
    /** Is told now and then how far a repair has come, and may answer false to stop it. Must not use the two stores. */
    repair_options &on_progress(std::function<bool(const progress &)> function)
    {
        on_progress_ = std::move(function);
        return *this;
    }
    /** Is told of each damaged place when a repair ends, first those of the other store. Must not use the two stores. */
    repair_options &on_gap(std::function<void(const gap &)> function)
    {
        on_gap_ = std::move(function);
        return *this;
    }

private:
    template <class Self, class Api>
    friend class detail::basic_store;

    std::uint32_t flags_ = ESTORE_REPAIR_ONE_WAY;
    std::function<bool(const progress &)> on_progress_;
    std::function<void(const gap &)> on_gap_;
};

namespace detail {

// A callable of the caller on its way through the library. After it has thrown it is not called again.
template <class F>
struct callback {
    F &function;
    std::exception_ptr thrown = nullptr;

    // Answers whether to go on.
    template <class Argument>
    bool call(const Argument &argument) noexcept
    {
        bool go_on = true;
        if (!thrown)
            thrown = caught([&] {
                if constexpr (std::is_void_v<std::invoke_result_t<F &, const Argument &>>)
                    function(argument);
                else
                    go_on = static_cast<bool>(function(argument));
            });
        return go_on && !thrown;
    }

    static std::int32_t on_finding(void *self, std::int32_t kind, const char *path, std::size_t path_len, std::uint64_t offset,
                                   std::uint64_t len, const char *what, std::size_t what_len) noexcept
    {
        const finding found{static_cast<finding_kind>(kind), {path, path_len}, offset, len, {what, what_len}};
        return static_cast<callback *>(self)->call(found) ? 0 : 1;
    }

    static std::int32_t on_progress(void *self, std::uint64_t done, std::uint64_t events) noexcept
    {
        return static_cast<callback *>(self)->call(progress{done, events}) ? 0 : 1;
    }

    static void on_gap(void *self, const char *path, std::size_t path_len, std::uint64_t offset, std::uint64_t len,
                       std::uint64_t first_time, std::uint64_t last_time, const char *what, std::size_t what_len) noexcept
    {
        static_cast<callback *>(self)->call(gap{{path, path_len}, offset, len, {first_time, last_time}, {what, what_len}});
    }
};

// The functions of repair_options on their way through the library. After one has thrown none is called again.
struct repair_callbacks {
    const std::function<bool(const progress &)> &on_progress_function;
    const std::function<void(const gap &)> &on_gap_function;
    std::exception_ptr thrown = nullptr;

    static std::int32_t on_progress(void *self, std::uint64_t done, std::uint64_t events) noexcept
    {
        auto &callbacks = *static_cast<repair_callbacks *>(self);
        bool go_on = true;
        if (!callbacks.thrown && callbacks.on_progress_function)
            callbacks.thrown = caught([&] { go_on = callbacks.on_progress_function(progress{done, events}); });
        return go_on && !callbacks.thrown ? 0 : 1;
    }

    static void on_gap(void *self, const char *path, std::size_t path_len, std::uint64_t offset, std::uint64_t len,
                       std::uint64_t first_time, std::uint64_t last_time, const char *what, std::size_t what_len) noexcept
    {
        auto &callbacks = *static_cast<repair_callbacks *>(self);
        const gap found{{path, path_len}, offset, len, {first_time, last_time}, {what, what_len}};
        if (!callbacks.thrown && callbacks.on_gap_function)
            callbacks.thrown = caught([&] { callbacks.on_gap_function(found); });
    }
};

// The numbers of a repair by name.
inline repaired to_repaired(const std::array<std::uint64_t, ESTORE_REPAIRED_COUNT> &n) noexcept
{
    repaired r;
    r.to = {n[ESTORE_REPAIRED_TO_COMPARED], n[ESTORE_REPAIRED_TO_COPIED], n[ESTORE_REPAIRED_TO_SKIPPED], n[ESTORE_REPAIRED_TO_EXPIRED]};
    r.from = {n[ESTORE_REPAIRED_FROM_COMPARED], n[ESTORE_REPAIRED_FROM_COPIED], n[ESTORE_REPAIRED_FROM_SKIPPED],
              n[ESTORE_REPAIRED_FROM_EXPIRED]};
    r.gaps = n[ESTORE_REPAIRED_GAPS];
    r.own_gaps = n[ESTORE_REPAIRED_OWN_GAPS];
    r.stopped = n[ESTORE_REPAIRED_STOPPED] != 0;
    return r;
}

// Buckets reach the library as they are.
static_assert(sizeof(bucket) == 3 * sizeof(std::uint64_t) && std::is_standard_layout_v<bucket>, "three numbers for each bucket");
inline const std::uint64_t *numbers_of(const std::vector<bucket> &buckets) noexcept
{
    return reinterpret_cast<const std::uint64_t *>(buckets.data());
}

inline estore_status free_bytes(::estore_bytes **bytes, ::estore_error *) { return ::estore_bytes_free(bytes); }

} // namespace detail

inline result<std::vector<time_range>> digest::differences(const digest &other) const
{
    using list = std::vector<time_range>;
    if (range.first != other.range.first || range.last != other.range.last || width_ns != other.width_ns ||
        buckets.size() != other.buckets.size())
        return detail::refuse<list>(errc::invalid, "digests of different ranges can't be compared");
    std::vector<std::uint64_t> bounds(2 * buckets.size());
    detail::answer<std::size_t> a;
    a.status = ::estore_digest_differences(range.first, range.last, width_ns, detail::numbers_of(buckets), horizon,
                                           detail::numbers_of(other.buckets), other.horizon, buckets.size(), bounds.data(),
                                           buckets.size(), &a.value, &a.err);
    if (a.failed())
        return detail::fail<list>(a.what());
    list ranges;
    ranges.reserve(a.value);
    for (std::size_t i = 0; i < a.value; i++)
        ranges.push_back({bounds[2 * i], bounds[2 * i + 1]});
    return ranges;
}

/* Reading */

/**
 * Events as columns, the form that data frames take: element i of each belongs to event i, and its data is data[offsets[i]] up to
 * data[offsets[i + 1]]. Filled by reader::next_columns; keeps its memory from one call to the next.
 */
struct columns {
    std::vector<std::uint64_t> times;
    std::vector<std::uint64_t> seqs;
    std::vector<std::uint32_t> ids;
    /** One more than there are events; the first is 0. */
    std::vector<std::uint64_t> offsets;
    std::vector<std::uint8_t> data;

    std::size_t size() const noexcept { return times.size(); }
    bool empty() const noexcept { return times.empty(); }
    /** The data of event i. */
    byte_view data_of(std::size_t i) const noexcept { return {data.data() + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])}; }
};

namespace detail {

/**
 * What reader and tail have in common. Events are views: those that came before end with the next one, or with this. Loops, next(),
 * next_batch() and next_columns() may be mixed, and no event is lost or repeated.
 */
template <class Self>
class event_source {
public:
    /** How many events a loop asks the library for at a time. */
    static constexpr std::size_t batch_size = 256;

    /** The next event, or nullptr if there is none: at the end of a reader, for now in a tail. The pointer is good until the next call. */
    result<const event *> next()
    {
        // Nearly always; small enough to be inlined into a loop.
        if (is_ahead())
            return &batch_->events[batch_->given++];
        return first_of_next_batch().give();
    }

    /**
     * Fills a vector or array of the caller with the next events; returns how many there are, 0 only where next() gives nullptr. A short
     * batch means nothing. An empty vector fails with errc::invalid.
     */
    result<std::size_t> next_batch(view<event> events)
    {
        if (!is_ahead() || events.empty())
            return fetch(events).give();
        // First what a loop has fetched and not given yet. Its data is still good: nothing is asked of the library.
        std::size_t n = 0;
        while (n < events.size() && is_ahead())
            events[n++] = batch_->events[batch_->given++];
        return n;
    }

    /**
     * Copies at most max of the next events into columns, in place of what was in them; returns how many there are, 0 only where next()
     * gives nullptr (estore_iter_next_columns). A max of 0 fails with errc::invalid. After a failure nothing is in the columns.
     */
    result<std::size_t> next_columns(columns &into, std::size_t max = 4096)
    {
        if (is_ahead() && max > 0)
            return give_ahead(into, max);
        into.times.resize(max);
        into.seqs.resize(max);
        into.ids.resize(max);
        into.offsets.resize(max + 1);
        into.data.resize((std::max)(into.data.capacity(), 64 * max));
        for (;;) {
            std::size_t n = 0;
            const auto data_len =
                handle_.template ask<std::size_t>(::estore_iter_next_columns, into.times.data(), into.seqs.data(), into.ids.data(),
                                                  into.offsets.data(), max, into.data.data(), into.data.size(), &n);
            if (n == 0 && data_len.value > 0) {
                into.data.resize(data_len.value);
                continue;
            }
            into.times.resize(n);
            into.seqs.resize(n);
            into.ids.resize(n);
            into.offsets.resize(n + 1);
            into.data.resize(data_len.value);
            if (data_len.failed())
                return detail::fail<std::size_t>(data_len.what());
            return n;
        }
    }

    /** Without exceptions: why a loop ended before the last event; nullptr if it did not. */
    const error *failure() const noexcept { return failure_.get(); }

    /** Ends this and its events. Closing twice is fine. */
    result<void> close()
    {
        batch_.reset();
        return handle_.close().give_nothing();
    }

    /** The handle, for functions of estore.h. Stays owned by this. What a loop has fetched is not in it any more. */
    ::estore_iter *native_handle() const noexcept { return handle_.get(); }

    /** The end of a loop. */
    struct sentinel {};

    /** An input iterator. Moving it on ends the events that it gave before. */
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = event;
        using difference_type = std::ptrdiff_t;
        using pointer = const event *;
        using reference = const event &;

        iterator() noexcept = default;
        reference operator*() const noexcept { return *event_; }
        pointer operator->() const noexcept { return event_; }
        iterator &operator++()
        {
            event_ = source_->step();
            return *this;
        }
        void operator++(int) { ++*this; }

        friend bool operator==(const iterator &at, sentinel) noexcept { return at.event_ == nullptr; }
        friend bool operator!=(const iterator &at, sentinel) noexcept { return at.event_ != nullptr; }
#if !defined(__cpp_impl_three_way_comparison)
        friend bool operator==(sentinel, const iterator &at) noexcept { return at.event_ == nullptr; }
        friend bool operator!=(sentinel, const iterator &at) noexcept { return at.event_ != nullptr; }
#endif

    private:
        friend class event_source;
        explicit iterator(Self &of) : source_(&of), event_(of.step()) {}

        Self *source_ = nullptr;
        const event *event_ = nullptr;
    };

    /** Takes the next event. */
    iterator begin() { return iterator(static_cast<Self &>(*this)); }
    sentinel end() const noexcept { return {}; }

protected:
    event_source(::estore_iter *handle, std::shared_ptr<const log_function> log) : handle_(handle, std::move(log)) {}

    // Whether loops and next() have fetched events that they have not given yet.
    bool is_ahead() const noexcept { return batch_ && batch_->given < batch_->filled; }

    // The next event; nullptr if there is none.
    answer<const event *> take()
    {
        if (!is_ahead())
            return first_of_next_batch();
        answer<const event *> a;
        a.value = &batch_->events[batch_->given++];
        return a;
    }

    // Ends a loop with a failure.
    const event *end_with(const error &e)
    {
#if ESTOREPP_EXCEPTIONS
        return fail<const event *>(e);
#else
        failure_ = std::make_unique<error>(e);
        return nullptr;
#endif
    }

    // What loops and next() have fetched, and how much of it they have given.
    struct batch {
        std::array<event, batch_size> events;
        std::size_t given = 0;
        std::size_t filled = 0;
    };

    owned<::estore_iter, &::estore_iter_close> handle_;
    std::unique_ptr<batch> batch_;
    std::unique_ptr<error> failure_;

private:
    answer<const event *> first_of_next_batch()
    {
        if (!batch_)
            batch_ = std::make_unique<batch>();
        batch_->given = batch_->filled = 0;
        const auto n = fetch(batch_->events);
        answer<const event *> a;
        a.status = n.status;
        a.err = n.err;
        if (n.status == ESTORE_OK) {
            batch_->filled = n.value;
            a.value = &batch_->events[batch_->given++];
        }
        return a;
    }

    // Where there are none (ESTORE_END, ESTORE_TIMEOUT) there are 0.
    answer<std::size_t> fetch(view<event> events) const
    {
        return handle_.template ask<std::size_t>(::estore_iter_next_batch, events.data(), events.size());
    }

    // What a loop has fetched and not given yet, as columns. Its data is still good: nothing is asked of the library.
    std::size_t give_ahead(columns &into, std::size_t max)
    {
        into.times.clear();
        into.seqs.clear();
        into.ids.clear();
        into.offsets.assign(1, 0);
        into.data.clear();
        while (into.size() < max && is_ahead()) {
            const event &e = batch_->events[batch_->given++];
            into.times.push_back(e.time);
            into.seqs.push_back(e.seq);
            into.ids.push_back(e.id);
            if (e.len > 0)
                into.data.insert(into.data.end(), e.data, e.data + e.len);
            into.offsets.push_back(into.data.size());
        }
        return into.size();
    }
};

} // namespace detail

/**
 * Events of a snapshot in order of time, made by store::read. A range to loop over once:
 *
 *     for (const event &e : store.read(from, to)) ...
 *
 * The loop asks the library for 256 events at a time and fails where they end in an error. Without exceptions it ends there instead:
 * ask failure() afterwards. A loop that was left by break may be taken up again by another: it goes on with the next event. Loops, next(),
 * next_batch() and next_columns() may be mixed, and no event is lost or repeated.
 *
 * Events are views: those that came before end with the next one, or with this. Used by one thread at a time. May outlive its store.
 * Fails with corrupt, io, gone, permission and others (estore_iter_next_batch).
 */
class reader : public detail::event_source<reader> {
public:
    /** Up to which seq this shows the store (estore_iter_snapshot_seq). */
    result<std::uint64_t> snapshot_seq() const { return handle_.template ask<std::uint64_t>(::estore_iter_snapshot_seq).give(); }

    /**
     * Calls on_gap(const gap &) for each gap that a salvaging reader has left so far, all once it has come to its end; returns how many
     * (estore_iter_gaps). on_gap must not use this reader; what it throws is thrown from here. Events given before stay valid.
     */
    template <class F>
    result<std::size_t> gaps(F &&on_gap) const
    {
        detail::callback<F> callback{on_gap};
        void *userdata = &callback;
        const auto n = handle_.template ask<std::size_t>(::estore_iter_gaps, &detail::callback<F>::on_gap, userdata);
        detail::rethrow(callback.thrown);
        return n.give();
    }

    /** Only counts them. */
    result<std::size_t> gaps() const
    {
        return gaps([](const gap &) {});
    }

private:
    template <class Self, class Api>
    friend class detail::basic_store;
    friend class detail::event_source<reader>;

    using event_source::event_source;

    // The next event for a loop, nullptr at its end.
    const event *step()
    {
        const auto a = take();
        return a.failed() ? end_with(a.what()) : a.value;
    }
};

/**
 * Events in order of arrival, beginning behind a cursor, and those that come, made by store::tail. A range that goes on as long as the store
 * is open:
 *
 *     for (const event &e : store.tail(cursor)) ...
 *
 * The loop waits for what comes, and ends when another thread closes the store. What ends it otherwise is a failure; without exceptions see
 * failure(). A failure with errc::gap says that events were deleted before they were given; another loop over the same tail goes on then, as
 * it does after a break.
 *
 * next(), next_batch() and next_columns() do not wait: wait() does, or poll on fd().
 *
 * Events are views: those that came before end with the next one, with wait(), or with this. Used by one thread at a time. May outlive its
 * store. Fails with gap, corrupt, io, closed, gone, permission and others (estore_iter_next_batch).
 */
class tail : public detail::event_source<tail> {
public:
    /** Waits until there is something to take, however long (estore_iter_wait). */
    result<void> wait()
    {
        return is_ahead() ? result<void>() : handle_.tell(::estore_iter_wait, ESTORE_WAIT_FOREVER).give_nothing();
    }

    /** Waits no longer than this, rounded up to milliseconds; returns whether there is something to take. */
    result<bool> wait(duration timeout)
    {
        if (is_ahead())
            return true;
        const auto a = handle_.tell([&](auto *iter, std::uint64_t ns, estore_error *err) {
            return ::estore_iter_wait(iter, ns / 1000000 + (ns % 1000000 != 0), err);
        }, timeout);
        return a.failed() ? detail::fail<bool>(a.what()) : result<bool>(a.status == ESTORE_OK);
    }

    /**
     * A descriptor for event loops, readable as long as there may be something to take: after next() has given nullptr, poll it
     * (estore_iter_fd). Stays owned by this.
     */
    result<int> fd() const { return handle_.template ask<int>(::estore_iter_fd).give(); }

    /** The cursor: every event up to this seq was given, so that another tail goes on from here (estore_iter_snapshot_seq). */
    result<std::uint64_t> last_seq() const
    {
        if (is_ahead())
            return batch_->events[batch_->given].seq - 1;
        return handle_.template ask<std::uint64_t>(::estore_iter_snapshot_seq).give();
    }

private:
    template <class Self, class Api>
    friend class detail::basic_store;
    friend class detail::event_source<tail>;

    using event_source::event_source;

    // The next event for a loop, nullptr once the store is closed.
    const event *step()
    {
        for (;;) {
            auto a = take();
            if (a.value != nullptr)
                return a.value;
            if (!a.failed()) {
                const auto waited = handle_.tell(::estore_iter_wait, ESTORE_WAIT_FOREVER);
                if (!waited.failed())
                    continue;
                a.status = waited.status;
                a.err = waited.err;
            }
            return a.status == ESTORE_ERR_CLOSED ? nullptr : end_with(a.what());
        }
    }
};

/* Replicas */

/**
 * Bytes to be carried elsewhere: a message of an exchange or a parcel of events. Depend on nothing they came from. Any number of threads may
 * look at them at once.
 */
class bytes {
public:
    /** None. */
    bytes() noexcept = default;

    const std::uint8_t *data() const noexcept { return view_.data(); }
    std::size_t size() const noexcept { return view_.size(); }
    bool empty() const noexcept { return view_.empty(); }
    const std::uint8_t *begin() const noexcept { return view_.begin(); }
    const std::uint8_t *end() const noexcept { return view_.end(); }
    /** As text, which it is for no human; many networking libraries want it so. */
    std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data()), size()}; }

    bytes(bytes &&other) noexcept : handle_(std::move(other.handle_)), view_(std::exchange(other.view_, {})) {}
    bytes &operator=(bytes &&other) noexcept
    {
        handle_ = std::move(other.handle_);
        view_ = std::exchange(other.view_, {});
        return *this;
    }

private:
    template <class Self, class Api>
    friend class detail::basic_store;
    friend class exchange;
    friend class event_export;

    explicit bytes(::estore_bytes *handle) noexcept : handle_(handle)
    {
        const std::uint8_t *data = nullptr;
        std::size_t size = 0;
        if (::estore_bytes_view(handle, &data, &size, nullptr) == ESTORE_OK)
            view_ = byte_view(data, size);
    }

    // Nothing, if that is what there was.
    static result<bytes> of(const detail::answer<::estore_bytes *> &a)
    {
        return a.failed() ? detail::fail<bytes>(a.what()) : result<bytes>(a.value == nullptr ? bytes() : bytes(a.value));
    }

    detail::owned<::estore_bytes, &detail::free_bytes> handle_;
    byte_view view_;
};

/**
 * Repairs a store by exchanging messages with another one, which may be anywhere: made by store::begin_exchange. It is the caller who carries
 * the messages:
 *
 *     for (bytes message = exchange.request(); !message.empty(); message = exchange.request())
 *         exchange.reply(send(message)); // answered there by store::answer
 *
 * May be given up at any point: what was copied stays, and another exchange brings the rest. Used by one thread at a time. Fails with closed
 * once its store is closed.
 */
class exchange {
public:
    /** The next message for the other store, the same again until it was replied to; empty once all is done (estore_exchange_request). */
    result<bytes> request() { return bytes::of(handle_.ask<::estore_bytes *>(::estore_exchange_request)); }

    /**
     * Takes the answer to the last request, and appends what it brings (estore_exchange_reply). Fails with corrupt if it is none, or was cut or
     * changed: it counts for nothing then, and the request waits to be sent again.
     */
    result<void> reply(byte_view answer) { return handle_.tell(::estore_exchange_reply, answer.data(), answer.size()).give_nothing(); }

    /** What was done so far; on_gap(const gap &) is called for each damaged place, first those of the other store (estore_exchange_repaired). */
    template <class F>
    result<repaired> done(F &&on_gap) const
    {
        detail::callback<F> callback{on_gap};
        void *userdata = &callback;
        std::array<std::uint64_t, ESTORE_REPAIRED_COUNT> n{};
        const auto a =
            handle_.ask<std::size_t>(::estore_exchange_repaired, &detail::callback<F>::on_gap, userdata, n.data(), n.size());
        detail::rethrow(callback.thrown);
        return a.failed() ? detail::fail<repaired>(a.what()) : result<repaired>(detail::to_repaired(n));
    }

    /** Only the numbers. */
    result<repaired> done() const
    {
        return done([](const gap &) {});
    }

    /** Ends it. Closing twice is fine. */
    result<void> close() { return handle_.close().give_nothing(); }

    /** The handle, for functions of estore.h. Stays owned by this. */
    ::estore_exchange *native_handle() const noexcept { return handle_.get(); }

private:
    template <class Self, class Api>
    friend class detail::basic_store;

    exchange(::estore_exchange *handle, std::shared_ptr<const log_function> log) : handle_(handle, std::move(log)) {}

    detail::owned<::estore_exchange, &::estore_exchange_close> handle_;
};

/**
 * The events of a range as parcels, to be kept or carried elsewhere, for store::import_events there: made by store::export_events. Shows one
 * moment, as a reader does. Used by one thread at a time. May outlive its store.
 */
class event_export {
public:
    /**
     * The next parcel, of at most max_bytes unless a single event needs more; empty at the end (estore_export_next). Fails with corrupt, io and
     * others, after every whole event before the damage.
     */
    result<bytes> next(std::size_t max_bytes = 1 << 20) { return bytes::of(handle_.ask<::estore_bytes *>(::estore_export_next, max_bytes)); }

    /** Up to which seq this shows the store (estore_export_snapshot_seq). */
    result<std::uint64_t> snapshot_seq() const { return handle_.ask<std::uint64_t>(::estore_export_snapshot_seq).give(); }

    /** Calls on_gap(const gap &) for what a salvaging export has left out so far; returns how many (estore_export_gaps). */
    template <class F>
    result<std::size_t> gaps(F &&on_gap) const
    {
        detail::callback<F> callback{on_gap};
        void *userdata = &callback;
        const auto n = handle_.ask<std::size_t>(::estore_export_gaps, &detail::callback<F>::on_gap, userdata);
        detail::rethrow(callback.thrown);
        return n.give();
    }

    /** Only counts them. */
    result<std::size_t> gaps() const
    {
        return gaps([](const gap &) {});
    }

    /** Ends it; its parcels stay. Closing twice is fine. */
    result<void> close() { return handle_.close().give_nothing(); }

    /** The handle, for functions of estore.h. Stays owned by this. */
    ::estore_export *native_handle() const noexcept { return handle_.get(); }

private:
    template <class Self, class Api>
    friend class detail::basic_store;

    event_export(::estore_export *handle, std::shared_ptr<const log_function> log) : handle_(handle, std::move(log)) {}

    detail::owned<::estore_export, &::estore_export_close> handle_;
};

/* Stores */

namespace detail {

// The C functions of a store and of an efile.
struct store_api {
    using handle = ::estore;
    static constexpr auto open = &::estore_open;
    static constexpr auto append = &::estore_append;
    static constexpr auto append_absent = &::estore_append_absent;
    static constexpr auto sync = &::estore_sync;
    static constexpr auto tick = &::estore_tick;
    static constexpr auto last_seq = &::estore_last_seq;
    static constexpr auto durable_seq = &::estore_durable_seq;
    static constexpr auto read_iter = &::estore_read_iter;
    static constexpr auto tail_iter = &::estore_tail_iter;
    static constexpr auto count = &::estore_count;
    static constexpr auto stats = &::estore_stats;
    static constexpr auto verify = &::estore_verify;
    static constexpr auto compact = &::estore_compact;
    static constexpr auto snapshot = &::estore_snapshot;
    static constexpr auto digest = &::estore_digest;
    static constexpr auto repair = &::estore_repair;
    static constexpr auto exchange_begin = &::estore_exchange_begin;
    static constexpr auto answer = &::estore_answer;
    static constexpr auto export_begin = &::estore_export_begin;
    static constexpr auto import_parcel = &::estore_import;
    static constexpr auto close = &::estore_close;
    static constexpr auto destroy = &::estore_destroy;
};

struct efile_api {
    using handle = ::efile;
    static constexpr auto open = &::efile_open;
    static constexpr auto append = &::efile_append;
    static constexpr auto append_absent = &::efile_append_absent;
    static constexpr auto sync = &::efile_sync;
    static constexpr auto tick = &::efile_tick;
    static constexpr auto last_seq = &::efile_last_seq;
    static constexpr auto durable_seq = &::efile_durable_seq;
    static constexpr auto read_iter = &::efile_read_iter;
    static constexpr auto tail_iter = &::efile_tail_iter;
    static constexpr auto count = &::efile_count;
    static constexpr auto stats = &::efile_stats;
    static constexpr auto verify = &::efile_verify;
    static constexpr auto compact = &::efile_compact;
    static constexpr auto snapshot = &::efile_snapshot;
    static constexpr auto digest = &::efile_digest;
    static constexpr auto repair = &::efile_repair;
    static constexpr auto exchange_begin = &::efile_exchange_begin;
    static constexpr auto answer = &::efile_answer;
    static constexpr auto export_begin = &::efile_export_begin;
    static constexpr auto import_parcel = &::efile_import;
    static constexpr auto close = &::efile_close;
    static constexpr auto destroy = &::efile_destroy;
};

/** What store and efile have in common. Any number of threads may use one at once, except for closing, moving and destroying it. */
template <class Self, class Api>
class basic_store {
public:
    /**
     * Opens one, or creates it (estore_open). path: the folder, any bytes but NUL; of a std::filesystem::path give native(). Fails with
     * not_found, exists, locked, not_a_store, settings, corrupt and others.
     */
    static result<Self> open(std::string_view path, const options &how = options())
    {
        if (how.failure_)
            return fail<Self>(*how.failure_);
        // The options are the handle that is asked, so they are refused here if they were moved from.
        const auto a = how.handle_.template ask<typename Api::handle *>([path](auto *options, auto **handle, estore_error *err) {
            return Api::open(path.data(), path.size(), options, handle, err);
        });
        return a.failed() ? fail<Self>(a.what()) : result<Self>(Self(a.value, how.handle_.log()));
    }

    /**
     * Removes a closed one from disk: its own files, and the folder if nothing else is in it (estore_destroy). Fails with not_found,
     * locked, not_a_store and others.
     */
    static result<void> destroy(std::string_view path, const options &how = options())
    {
        if (how.failure_)
            return fail<void>(*how.failure_);
        return how.handle_.tell([path](auto *options, estore_error *err) { return Api::destroy(path.data(), path.size(), options, err); })
            .give_nothing();
    }

    /**
     * Appends a batch, in any order of times; readers see all of it or nothing. Takes a vector, array or other contiguous range of events,
     * or {pointer, n}, and copies none of it on the way. Returns the last seq of the store as of this append (estore_append). Fails with
     * too_large, no_space, read_only, poisoned, outcome_unknown and others, and has stored nothing then, except that outcome_unknown
     * leaves that open.
     */
    result<std::uint64_t> append(view<const event> events)
    {
        return handle_.template ask<std::uint64_t>(Api::append, events.data(), events.size()).give();
    }
    /** The same for a list in braces. */
    result<std::uint64_t> append(std::initializer_list<event> events) { return append(view<const event>(events)); }
    /** The same for one event. */
    result<std::uint64_t> append(const event &one) { return append(view<const event>(&one, 1)); }

    /**
     * Appends those events that are not there yet, in one step: none whose time, id and data are those of a stored event or of an earlier
     * one in the batch (estore_append_absent). Fails as append does.
     */
    result<absent_result> append_absent(view<const event> events)
    {
        absent_result r;
        const auto a = handle_.tell(Api::append_absent, events.data(), events.size(), &r.last_seq, &r.stored, &r.present, &r.expired);
        return a.failed() ? fail<absent_result>(a.what()) : result<absent_result>(r);
    }
    /** The same for a list in braces. */
    result<absent_result> append_absent(std::initializer_list<event> events) { return append_absent(view<const event>(events)); }
    /** The same for one event. */
    result<absent_result> append_absent(const event &one) { return append_absent(view<const event>(&one, 1)); }

    /**
     * Makes all so far survive loss of power; returns the seq up to which it does (estore_sync). Fails with io, no_space, poisoned,
     * outcome_unknown.
     */
    result<std::uint64_t> sync() { return handle_.template ask<std::uint64_t>(Api::sync).give(); }

    /** Does what is due by time; needed only with options::background(false) (estore_tick). Fails with io, no_space, poisoned and others. */
    result<void> tick() { return handle_.tell(Api::tick).give_nothing(); }

    /** The last seq given; 0 if nothing was ever appended (estore_last_seq). */
    result<std::uint64_t> last_seq() const { return handle_.template ask<std::uint64_t>(Api::last_seq).give(); }

    /** Up to which seq everything survives loss of power (estore_durable_seq). */
    result<std::uint64_t> durable_seq() const { return handle_.template ask<std::uint64_t>(Api::durable_seq).give(); }

    /**
     * Starts reading a range in exact time order, everything unless a range is given; both ends are inclusive. The reader shows one moment:
     * every append that had returned, and nothing that comes later (estore_read_iter). Fails with range, invalid and others.
     */
    result<reader> read(timestamp from = 0, timestamp to = forever, read_options how = {}) const
    {
        const auto a = handle_.template ask<::estore_iter *>(Api::read_iter, from, to, how.flags_, how.limit_);
        return a.failed() ? fail<reader>(a.what()) : result<reader>(reader(a.value, handle_.log()));
    }
    /** Everything. */
    result<reader> read(read_options how) const { return read(0, forever, how); }

    /**
     * Follows the store: gives every event with a larger seq than the cursor, in order of arrival, and then those that come, in this process
     * or beside the writer in another. 0 begins with the first event, last_seq() with the next to come (estore_tail_iter). Fails with invalid
     * for a seq that no event can have yet, and others.
     */
    result<estorepp::tail> tail(std::uint64_t after_seq) const
    {
        const auto a = handle_.template ask<::estore_iter *>(Api::tail_iter, after_seq);
        return a.failed() ? fail<estorepp::tail>(a.what()) : result<estorepp::tail>(estorepp::tail(a.value, handle_.log()));
    }

    /** Counts the events of a range, everything unless one is given (estore_count). Fails as read does. */
    result<std::uint64_t> count(timestamp from = 0, timestamp to = forever) const
    {
        return handle_.template ask<std::uint64_t>(Api::count, from, to).give();
    }

    /** The numbers of the store that this header knows (estore_stats). */
    result<store_stats> stats() const
    {
        std::array<std::uint64_t, ESTORE_STAT_COUNT> n{};
        const auto a = handle_.template ask<std::size_t>(Api::stats, n.data(), n.size());
        if (a.failed())
            return fail<store_stats>(a.what());
        store_stats s;
        s.file_size_ns = n[ESTORE_STAT_FILE_SIZE_NS];
        s.grace_ns = n[ESTORE_STAT_GRACE_NS];
        s.chunks = n[ESTORE_STAT_CHUNKS];
        s.events = n[ESTORE_STAT_EVENTS];
        s.late_events = n[ESTORE_STAT_LATE_EVENTS];
        s.recon_events = n[ESTORE_STAT_RECON_EVENTS];
        s.oldest = n[ESTORE_STAT_OLDEST];
        s.newest = n[ESTORE_STAT_NEWEST];
        s.horizon = n[ESTORE_STAT_HORIZON];
        s.last_seq = n[ESTORE_STAT_LAST_SEQ];
        s.durable_seq = n[ESTORE_STAT_DURABLE_SEQ];
        s.log_bytes = n[ESTORE_STAT_LOG_BYTES];
        s.recon_bytes = n[ESTORE_STAT_RECON_BYTES];
        s.index_bytes = n[ESTORE_STAT_INDEX_BYTES];
        s.journal_bytes = n[ESTORE_STAT_JOURNAL_BYTES];
        s.open_logs = n[ESTORE_STAT_OPEN_LOGS];
        s.expired = n[ESTORE_STAT_EXPIRED];
        s.present = n[ESTORE_STAT_PRESENT];
        s.recovered_events = n[ESTORE_STAT_RECOVERED_EVENTS];
        s.cut_bytes = n[ESTORE_STAT_CUT_BYTES];
        s.damaged_regions = n[ESTORE_STAT_DAMAGED_REGIONS];
        s.backlog_bytes = n[ESTORE_STAT_BACKLOG_BYTES];
        s.chunk_bytes = n[ESTORE_STAT_CHUNK_BYTES];
        s.removed_chunks = n[ESTORE_STAT_REMOVED_CHUNKS];
        return s;
    }

    /** All numbers that the library knows, with their names, to be printed (estore_stat_name). The names are static. */
    result<std::vector<std::pair<std::string_view, std::uint64_t>>> named_stats() const
    {
        using list = std::vector<std::pair<std::string_view, std::uint64_t>>;
        std::uint64_t none = 0;
        const auto known = handle_.template ask<std::size_t>(Api::stats, &none, std::size_t{0});
        std::vector<std::uint64_t> values(known.value);
        const auto a = handle_.template ask<std::size_t>(Api::stats, values.data(), values.size());
        if (a.failed())
            return fail<list>(a.what());
        list named;
        for (std::size_t i = 0; i < values.size(); i++)
            named.emplace_back(::estore_stat_name(i), values[i]);
        return named;
    }

    /**
     * Looks at every byte, also beside appends, and calls on_finding(const finding &) for what is wrong; it may return false to end the
     * walk, and use the same store except for closing it. What it throws ends the walk and is thrown from here (estore_verify).
     */
    template <class F>
    result<verified> verify(F &&on_finding) const
    {
        callback<F> callback{on_finding};
        void *userdata = &callback;
        verified r;
        const auto a = handle_.tell(Api::verify, &detail::callback<F>::on_finding, userdata, &r.events, &r.damaged);
        rethrow(callback.thrown);
        return a.failed() ? fail<verified>(a.what()) : result<verified>(r);
    }

    /** Only counts. */
    result<verified> verify() const
    {
        return verify([](const finding &) {});
    }

    /**
     * Merges the logs of each chunk of a range into one, sorted and in full frames, also beside appends and readers; calls
     * on_progress(const progress &), which may return false to stop it and must not use the same store. What it throws stops it too and is
     * thrown from here (estore_compact).
     */
    template <class F>
    result<compacted> compact(timestamp from, timestamp to, F &&on_progress)
    {
        callback<F> callback{on_progress};
        void *userdata = &callback;
        compacted r;
        const auto a =
            handle_.tell(Api::compact, from, to, &detail::callback<F>::on_progress, userdata, &r.bytes_before, &r.bytes_after);
        rethrow(callback.thrown);
        return a.failed() ? fail<compacted>(a.what()) : result<compacted>(r);
    }

    /** Without progress; everything unless a range is given. */
    result<compacted> compact(timestamp from = 0, timestamp to = forever)
    {
        return compact(from, to, [](const progress &) {});
    }

    /**
     * Makes a durable copy of the store, as it is at one moment, in a folder that is not there, empty, or holds an earlier snapshot of it
     * that nobody has opened for writing, which is then brought up to date. Also beside writers, and from a store opened for reading. Calls
     * on_progress(const progress &), which may return false to stop it and must not use the same store. What it throws stops it too and is
     * thrown from here (estore_snapshot).
     */
    template <class F>
    result<snapshot_info> snapshot(std::string_view dir, F &&on_progress) const
    {
        callback<F> callback{on_progress};
        void *userdata = &callback;
        snapshot_info r;
        std::int32_t stopped = 0;
        const auto a = handle_.tell(Api::snapshot, dir.data(), dir.size(), &detail::callback<F>::on_progress, userdata, &r.seq,
                                    &r.bytes_copied, &r.bytes_linked, &r.damaged, &stopped);
        rethrow(callback.thrown);
        r.stopped = stopped != 0;
        return a.failed() ? fail<snapshot_info>(a.what()) : result<snapshot_info>(r);
    }

    /** Without progress. */
    result<snapshot_info> snapshot(std::string_view dir) const
    {
        return snapshot(dir, [](const progress &) {});
    }

    /**
     * What a range holds, in buckets of a width, for comparing stores that should hold the same: of both ask for the same range and width
     * (estore_digest). Takes about two scans of the range. Fails with invalid for a width of 0 and for more than 1048576 buckets,
     * missing_feature, and as reading does.
     */
    result<estorepp::digest> digest(timestamp from, timestamp to, duration width) const
    {
        estorepp::digest d;
        d.range = {from.ns(), to.ns()};
        d.width_ns = width.ns();
        // What is refused needs no room.
        const bool sound = from.fits() && to.fits() && width.fits() && d.width_ns > 0 && d.range.first <= d.range.last;
        const std::uint64_t last = sound ? (d.range.last - d.range.first) / d.width_ns : 0;
        d.buckets.resize(static_cast<std::size_t>(last < 1048576 ? last + 1 : 1));
        std::size_t n = 0;
        auto *numbers = reinterpret_cast<std::uint64_t *>(d.buckets.data());
        const auto a = handle_.template ask<std::uint64_t>(Api::digest, from, to, width, numbers, d.buckets.size(), &n);
        if (a.failed())
            return fail<estorepp::digest>(a.what());
        d.horizon = a.value;
        return d;
    }

    /**
     * Brings this store what it lacks of the events that another one has in a range, everything unless one is given, or each of the two what
     * it lacks (estore_repair). Nothing is doubled, and what one of them has deleted is not brought back. May be stopped at any point and
     * done again; what is in damaged frames is not there. What a function of the options throws stops it too and is thrown from here. Fails with
     * read_only, and as reading and append_absent do.
     */
    result<repaired> repair(Self &from, timestamp start, timestamp end, const repair_options &how = {})
    {
        if (from.native_handle() == nullptr)
            return refuse<repaired>(errc::closed, "the handle was closed or moved from");
        repair_callbacks callbacks{how.on_progress_, how.on_gap_};
        void *userdata = &callbacks;
        std::array<std::uint64_t, ESTORE_REPAIRED_COUNT> n{};
        const auto a = handle_.template ask<std::size_t>(Api::repair, from.native_handle(), start, end, how.flags_,
                                                         &repair_callbacks::on_gap, &repair_callbacks::on_progress, userdata, n.data(),
                                                         n.size());
        rethrow(callbacks.thrown);
        return a.failed() ? fail<repaired>(a.what()) : result<repaired>(to_repaired(n));
    }
    /** Everything. */
    result<repaired> repair(Self &from, const repair_options &how = {}) { return repair(from, 0, forever, how); }

    /**
     * Begins to bring this store what it lacks of the events that another one has in a range, everything unless one is given, or each of the
     * two what it lacks, by messages that the caller carries (estore_exchange_begin). Of the options only both_ways counts: there is no
     * progress, and gaps are told by exchange::done. Fails with read_only, missing_feature, and as reading does.
     */
    result<exchange> begin_exchange(timestamp from, timestamp to, const repair_options &how = {})
    {
        const auto a = handle_.template ask<::estore_exchange *>(Api::exchange_begin, from, to, how.flags_);
        return a.failed() ? fail<exchange>(a.what()) : result<exchange>(exchange(a.value, handle_.log()));
    }
    /** Everything. */
    result<exchange> begin_exchange(const repair_options &how = {}) { return begin_exchange(0, forever, how); }

    /**
     * Answers a message of an exchange elsewhere; nothing is remembered from one message to the next (estore_answer). Fails with corrupt if
     * it is none, or was cut or changed, and nothing was stored then; with read_only if this store is to be given something and was opened
     * for reading; and as reading and append_absent do.
     */
    result<bytes> answer(byte_view message)
    {
        return bytes::of(handle_.template ask<::estore_bytes *>(Api::answer, message.data(), message.size()));
    }

    /** Starts giving the events of a range as parcels, everything unless one is given (estore_export_begin). Fails as read does. */
    result<event_export> export_events(timestamp from = 0, timestamp to = forever, read_options how = {}) const
    {
        const auto a = handle_.template ask<::estore_export *>(Api::export_begin, from, to, how.flags_, how.limit_);
        return a.failed() ? fail<event_export>(a.what()) : result<event_export>(event_export(a.value, handle_.log()));
    }

    /**
     * Appends the events of a parcel that are not there yet, as one batch (estore_import). Fails with corrupt if it is none, or was cut or
     * changed, and has stored nothing then; otherwise as append_absent.
     */
    result<absent_result> import_events(byte_view parcel)
    {
        absent_result r;
        const auto a =
            handle_.tell(Api::import_parcel, parcel.data(), parcel.size(), &r.last_seq, &r.stored, &r.present, &r.expired);
        return a.failed() ? fail<absent_result>(a.what()) : result<absent_result>(r);
    }

    /**
     * Flushes, syncs and gives up the lock; the handle is closed also if this fails, with io, no_space, poisoned or outcome_unknown, which
     * says that some events may not be on disk (estore_close). Closing twice is fine. Readers go on.
     */
    result<void> close() { return handle_.close().give_nothing(); }

    /** The handle, for functions of estore.h; NULL once it is closed. Stays owned by this. */
    typename Api::handle *native_handle() const noexcept { return handle_.get(); }

protected:
    basic_store(typename Api::handle *handle, std::shared_ptr<const log_function> log) : handle_(handle, std::move(log)) {}

    owned<typename Api::handle, Api::close> handle_;
};

} // namespace detail

/** A store of events: chunks by time in a folder. */
class store : public detail::basic_store<store, detail::store_api> {
public:
    /**
     * Deletes all events before a time, for good (estore_delete_before). Readers that are open go on as they were. Fails with read_only,
     * no_space, io and others.
     */
    result<void> delete_before(timestamp time) { return handle_.tell(::estore_delete_before, time).give_nothing(); }

    /**
     * Removes whole chunks, oldest first, that are too old, or with which all take too much; or only tells what it would remove
     * (estore_retain). What is live is never removed. Works on a full disk. Fails with read_only, io and others.
     */
    result<retained> retain(const retain_options &how = {})
    {
        retained r;
        const auto a = handle_.tell(::estore_retain, how.max_age_, how.max_bytes_, std::int32_t{how.dry_run_}, &r.horizon, &r.chunks,
                                    &r.events, &r.bytes);
        return a.failed() ? detail::fail<retained>(a.what()) : result<retained>(r);
    }

    /**
     * Cuts a range at chunk borders: pieces for different threads or machines, which together give exactly the range (estore_splits). Fails
     * with range, and with invalid if there are more than `most` pieces: all of time has very many.
     */
    result<std::vector<time_range>> splits(timestamp from, timestamp to, std::size_t most = 1000000) const
    {
        std::uint64_t *const none = nullptr;
        const auto pieces = handle_.ask<std::uint64_t>(::estore_splits, from, to, none, std::size_t{0});
        if (pieces.failed())
            return detail::fail<std::vector<time_range>>(pieces.what());
        if (pieces.value > most)
            return detail::refuse<std::vector<time_range>>(errc::invalid, "splits: the range has more pieces than were asked for");
        std::vector<std::uint64_t> bounds(2 * static_cast<std::size_t>(pieces.value));
        const auto a = handle_.ask<std::uint64_t>(::estore_splits, from, to, bounds.data(), bounds.size() / 2);
        if (a.failed())
            return detail::fail<std::vector<time_range>>(a.what());
        std::vector<time_range> ranges;
        ranges.reserve(bounds.size() / 2);
        for (std::size_t i = 0; i < bounds.size(); i += 2)
            ranges.push_back({bounds[i], bounds[i + 1]});
        return ranges;
    }

private:
    friend class detail::basic_store<store, detail::store_api>;
    using basic_store::basic_store;
};

/** The simple store: one log of any time range in a folder, without splits and deleting. */
class efile : public detail::basic_store<efile, detail::efile_api> {
private:
    friend class detail::basic_store<efile, detail::efile_api>;
    using basic_store::basic_store;
};

} // inline namespace
} // namespace estorepp

template <>
struct std::is_error_code_enum<estorepp::errc> : std::true_type {};

#endif
