# The commands of estore, each a few lines that call the language's own tool. `make` alone lists them.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
CMAKEDIR = $(LIBDIR)/cmake/estore
# What the library is built with besides: see Cargo.toml.
FEATURES ?= lz4 digest
FILE ?= /var/log/dpkg.log
KILLS ?= 10000
SEED ?= 0

# Where rustup puts Rust and .ci/setup puts Go, should the shell not look there.
export PATH := $(HOME)/sdk/go$(shell sed -n 's/^go_installed=//p' .ci/setup)/bin:$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
# What is installed: as `make lib` left it, whatever cargo has built for tests since.
DIST := $(or $(CARGO_TARGET_DIR),target)/dist
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The first number of the file's name is the version of the ABI, as in build.rs.
SONAME := libestore.so.1
REALNAME := $(SONAME).$(VERSION)
HEADERS := include/estore.h bindings/cpp/estore.hpp
# Fills in the files of `packaging`; the libraries that the static one needs are those that rustc named. Paths below PREFIX follow `prefix`.
FILL_IN = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|dir=$(PREFIX)/|dir=$${prefix}/|' \
    -e "s|@INCLUDE_FROM_LIB@|$$(realpath -ms --relative-to="$(LIBDIR)" "$(INCLUDEDIR)")|" -e 's|@VERSION@|$(VERSION)|' \
    -e 's|@SONAME@|$(SONAME)|' -e 's|@REALNAME@|$(REALNAME)|' -e "s|@PRIVATE_LIBS@|$$(cat $(DIST)/native-static-libs)|"
# Real data to show, used where it is there.
MORE := $(wildcard ../shared/data/redis-commits.txt)

.PHONY: help demo test crash kill soak fuzz bench lib wheel install install-strip uninstall clean

help: ## lists the commands (the default)
	@sed -n 's/^\([a-z-]*\):[^#]*## /make \1\t/p' Makefile | expand -t 20

demo: lib ## loads a log file into a store and looks around in it; FILE=path for another than /var/log/dpkg.log
	$(CC) -std=c99 -O2 -Wall -Wextra -Iinclude examples/c/demo.c -L$(RELEASE) -lestore -Wl,-rpath,'$$ORIGIN' -o $(RELEASE)/demo
	$(RELEASE)/demo "$(FILE)"
	$(if $(MORE),$(RELEASE)/demo $(MORE))

test: ## checks everything: style, lints, docs, all tests, the examples in all languages
	@.ci/setup test
	cargo fmt --check
	@files=$$(gofmt -l examples bindings) && test -z "$$files" || { echo "gofmt would change: $$files"; false; }
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	cargo test --locked --no-fail-fast
	cargo clippy --locked --features shuttle --test crash -- -D warnings
	$(MAKE) crash CASES=20000 SEED=1
	cd fuzz && cargo fmt --check && cargo clippy --release --locked --target "$$(rustc --print host-tuple)" -- -D warnings
	FOUND= SEED=1 fuzz/run 5

kill: ## kills writing processes at random moments and checks all that was promised to them; KILLS=10000, SEED=0
	@.ci/setup kill
	ESTORE_KILLS=$(KILLS) ESTORE_SEED=$(SEED) cargo test --release --locked --test kill -- --nocapture

soak: ## writes, follows, reads, compacts, deletes and copies one store at once in several processes; SECONDS=30
	@.ci/setup soak
	ESTORE_SOAK_SECONDS=$(or $(SECONDS),30) cargo test --release --locked --test soak -- --nocapture

fuzz: ## fuzzes files, messages and C ABI, guided by coverage; SECONDS=60 for each target, TARGET= for one; see fuzz/README.md
	@.ci/setup fuzz
	fuzz/run $(or $(SECONDS),60) $(TARGET)

bench: lib ## measures estore beside the machine's limit and other stores; ARGS= for the driver, see benches/README.md
	@.ci/setup bench
	cd benches && cargo run --release --locked --features peers -- --lib "$(abspath $(RELEASE))/libestore.so" $(ARGS)

crash: ## lets simulated machines lose power at random and checks every promise; CASES= crash images, SEED= the first case
	@.ci/setup crash
	ESTORE_CRASH_IMAGES="$(CASES)" ESTORE_CRASH_SEED="$${SEED:-$$(date +%s%N)}" \
	    cargo test --locked --profile crash --features shuttle --test crash -- --nocapture

# Without the Rust library beside them, which `cargo build` makes too: with it, cargo leaves out what `lto` asks for. The static library
# becomes one object in which all but our names is local, so that it goes into a program beside other libraries made with Rust.
lib: ## builds the shared and the static library into target/release
	@.ci/setup demo
	cargo rustc --release --locked --lib --features "$(FEATURES)" --crate-type cdylib,staticlib -- --print native-static-libs=$(RELEASE)/native-static-libs
	ln -sf libestore.so $(RELEASE)/$(SONAME)
	mkdir -p $(DIST)
	cp $(RELEASE)/libestore.so $(RELEASE)/native-static-libs $(DIST)
	$(CC) -r -nostdlib -Wl,--force-group-allocation,--whole-archive $(RELEASE)/libestore.a -o $(DIST)/estore.o
	objcopy -R .llvmbc -R .llvmcmd -w --keep-global-symbol='estore_*' --keep-global-symbol='efile_*' $(DIST)/estore.o
	rm -f $(DIST)/libestore.a
	ar rcsD $(DIST)/libestore.a $(DIST)/estore.o

wheel: $(DIST)/libestore.a ## builds the Python package with the library in it, into bindings/python/dist
	python3 bindings/python/build_wheel.py --library "$(DIST)/libestore.so"

# Only if something changed: so `sudo make install` needs no Rust after `make lib`.
$(DIST)/libestore.a: Cargo.toml Cargo.lock build.rs $(shell find src -name '*.rs')
	$(MAKE) lib

install: $(DIST)/libestore.a ## installs libraries, headers, and files for pkg-config and CMake; PREFIX=/usr/local, LIBDIR=, INCLUDEDIR=, DESTDIR=
	install -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(CMAKEDIR)"
	install -m 644 $(HEADERS) "$(DESTDIR)$(INCLUDEDIR)"
	install -m 644 $(DIST)/libestore.a "$(DESTDIR)$(LIBDIR)"
	install -m 755 $(DIST)/libestore.so "$(DESTDIR)$(LIBDIR)/$(REALNAME)"
	ln -sf $(REALNAME) "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libestore.so"
	$(FILL_IN) packaging/estore.pc.in | install -m 644 /dev/stdin "$(DESTDIR)$(LIBDIR)/pkgconfig/estore.pc"
	$(FILL_IN) packaging/estoreConfig.cmake.in | install -m 644 /dev/stdin "$(DESTDIR)$(CMAKEDIR)/estoreConfig.cmake"
	$(FILL_IN) packaging/estoreConfigVersion.cmake.in | install -m 644 /dev/stdin "$(DESTDIR)$(CMAKEDIR)/estoreConfigVersion.cmake"

install-strip: install ## the same without what only debuggers read
	strip --strip-unneeded "$(DESTDIR)$(LIBDIR)/$(REALNAME)"
	strip --strip-debug "$(DESTDIR)$(LIBDIR)/libestore.a"

# Folders only where nothing else is in them, and never PREFIX, LIBDIR and INCLUDEDIR themselves: those are not ours.
uninstall: ## removes what install installed
	rm -f "$(DESTDIR)$(INCLUDEDIR)/estore.h" "$(DESTDIR)$(INCLUDEDIR)/estore.hpp" "$(DESTDIR)$(LIBDIR)/libestore.a" \
	    "$(DESTDIR)$(LIBDIR)/libestore.so" "$(DESTDIR)$(LIBDIR)/$(SONAME)" "$(DESTDIR)$(LIBDIR)/$(REALNAME)" \
	    "$(DESTDIR)$(LIBDIR)/pkgconfig/estore.pc" "$(DESTDIR)$(CMAKEDIR)/estoreConfig.cmake" "$(DESTDIR)$(CMAKEDIR)/estoreConfigVersion.cmake"
	for folder in cmake/estore cmake pkgconfig; do rmdir "$(DESTDIR)$(LIBDIR)/$$folder" 2>/dev/null || true; done

clean: ## removes what was built
	cargo clean
