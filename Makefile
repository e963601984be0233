# The commands of estore, each a few lines that call the language's own tool. `make` alone lists them.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
CMAKEDIR = $(LIBDIR)/cmake/estore
MANDIR = $(DATADIR)/man/man1
# Where each shell looks for what completes its lines.
BASHDIR = $(DATADIR)/bash-completion/completions
ZSHDIR = $(DATADIR)/zsh/site-functions
FISHDIR = $(DATADIR)/fish/vendor_completions.d
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
CLI_TARGET := $(or $(CARGO_TARGET_DIR:%=%/cli),cli/target)
# The commands of the tool, each of which has a manual page.
COMMANDS := append bench compact delete diff digest export import read repair retain salvage snapshot stat verify
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

.PHONY: help demo test crash kill soak fuzz bench lib cli wheel install install-lib install-cli install-strip uninstall clean

help: ## lists the commands (the default)
	@sed -n 's/^\([a-z-]*\):[^#]*## /make \1\t/p' Makefile | expand -t 20

demo: lib cli ## loads a log file into a store and looks around in it, from C and in the shell; FILE=path for another than /var/log/dpkg.log
	$(CC) -std=c99 -O2 -Wall -Wextra -Iinclude examples/c/demo.c -L$(RELEASE) -lestore -Wl,-rpath,'$$ORIGIN' -o $(RELEASE)/demo
	$(RELEASE)/demo "$(FILE)"
	$(if $(MORE),$(RELEASE)/demo $(MORE))
	cli/demo "$(abspath $(DIST)/cli)" "$(FILE)"

test: ## checks everything: style, lints, docs, all tests, the examples in all languages
	@.ci/setup test
	cargo fmt --check
	@files=$$(gofmt -l examples bindings) && test -z "$$files" || { echo "gofmt would change: $$files"; false; }
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	cargo test --locked --no-fail-fast
	cd cli && cargo fmt --check && cargo clippy --locked --all-targets -- -D warnings && cargo test --locked --no-fail-fast
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

# With all that is installed beside it.
cli: ## builds the command-line tool into target/dist/cli
	@.ci/setup demo
	cargo build --release --locked --manifest-path cli/Cargo.toml --target-dir "$(CLI_TARGET)"
	rm -rf $(DIST)/cli
	mkdir -p $(DIST)/cli/man
	cp $(CLI_TARGET)/release/estore $(DIST)/cli
	$(DIST)/cli/estore man --into $(DIST)/cli/man
	for shell in bash zsh fish; do $(DIST)/cli/estore completions $$shell > $(DIST)/cli/estore.$$shell; done

wheel: $(DIST)/libestore.a ## builds the Python package with the library in it, into bindings/python/dist
	python3 bindings/python/build_wheel.py --library "$(DIST)/libestore.so"

# Only if something changed: so `sudo make install` needs no Rust after `make lib cli`.
$(DIST)/libestore.a: Cargo.toml Cargo.lock build.rs $(shell find src -name '*.rs')
	$(MAKE) lib

$(DIST)/cli/estore: Cargo.toml build.rs cli/Cargo.toml cli/Cargo.lock $(shell find src cli/src -name '*.rs')
	$(MAKE) cli

install: install-lib install-cli ## installs all of the two below; PREFIX=/usr/local, LIBDIR=, INCLUDEDIR=, BINDIR=, DATADIR=, DESTDIR=

install-lib: $(DIST)/libestore.a ## installs libraries, headers, and files for pkg-config and CMake
	install -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(CMAKEDIR)"
	install -m 644 $(HEADERS) "$(DESTDIR)$(INCLUDEDIR)"
	install -m 644 $(DIST)/libestore.a "$(DESTDIR)$(LIBDIR)"
	install -m 755 $(DIST)/libestore.so "$(DESTDIR)$(LIBDIR)/$(REALNAME)"
	ln -sf $(REALNAME) "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libestore.so"
	$(FILL_IN) packaging/estore.pc.in | install -m 644 /dev/stdin "$(DESTDIR)$(LIBDIR)/pkgconfig/estore.pc"
	$(FILL_IN) packaging/estoreConfig.cmake.in | install -m 644 /dev/stdin "$(DESTDIR)$(CMAKEDIR)/estoreConfig.cmake"
	$(FILL_IN) packaging/estoreConfigVersion.cmake.in | install -m 644 /dev/stdin "$(DESTDIR)$(CMAKEDIR)/estoreConfigVersion.cmake"

install-cli: $(DIST)/cli/estore ## installs the command-line tool, its manual pages, and completions for bash, zsh and fish
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(MANDIR)" "$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" "$(DESTDIR)$(FISHDIR)"
	install -m 755 $(DIST)/cli/estore "$(DESTDIR)$(BINDIR)"
	install -m 644 $(DIST)/cli/man/*.1 "$(DESTDIR)$(MANDIR)"
	install -m 644 $(DIST)/cli/estore.bash "$(DESTDIR)$(BASHDIR)/estore"
	install -m 644 $(DIST)/cli/estore.zsh "$(DESTDIR)$(ZSHDIR)/_estore"
	install -m 644 $(DIST)/cli/estore.fish "$(DESTDIR)$(FISHDIR)/estore.fish"

install-strip: install ## the same without what only debuggers read
	strip --strip-unneeded "$(DESTDIR)$(LIBDIR)/$(REALNAME)"
	strip --strip-debug "$(DESTDIR)$(LIBDIR)/libestore.a"
	strip "$(DESTDIR)$(BINDIR)/estore"

# Folders only where nothing else is in them, and never those that every prefix has (PREFIX, LIBDIR, INCLUDEDIR, BINDIR, DATADIR): those are not ours.
uninstall: ## removes what install installed
	rm -f "$(DESTDIR)$(INCLUDEDIR)/estore.h" "$(DESTDIR)$(INCLUDEDIR)/estore.hpp" "$(DESTDIR)$(LIBDIR)/libestore.a" \
	    "$(DESTDIR)$(LIBDIR)/libestore.so" "$(DESTDIR)$(LIBDIR)/$(SONAME)" "$(DESTDIR)$(LIBDIR)/$(REALNAME)" \
	    "$(DESTDIR)$(LIBDIR)/pkgconfig/estore.pc" "$(DESTDIR)$(CMAKEDIR)/estoreConfig.cmake" "$(DESTDIR)$(CMAKEDIR)/estoreConfigVersion.cmake" \
	    "$(DESTDIR)$(BINDIR)/estore" "$(DESTDIR)$(BASHDIR)/estore" "$(DESTDIR)$(ZSHDIR)/_estore" "$(DESTDIR)$(FISHDIR)/estore.fish" \
	    "$(DESTDIR)$(MANDIR)/estore.1" $(COMMANDS:%="$(DESTDIR)$(MANDIR)/estore-%.1")
	for folder in cmake/estore cmake pkgconfig; do rmdir "$(DESTDIR)$(LIBDIR)/$$folder" 2>/dev/null || true; done
	for folder in man/man1 man bash-completion/completions bash-completion zsh/site-functions zsh fish/vendor_completions.d fish; do \
	    rmdir "$(DESTDIR)$(DATADIR)/$$folder" 2>/dev/null || true; done

clean: ## removes what was built
	cargo clean
