# The commands of estore, each a few lines that call the language's own tool. `make` alone lists them.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
FILE ?= /var/log/dpkg.log
KILLS ?= 10000
SEED ?= 0

# Where rustup puts Rust, should the shell not look there.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The first number of the file's name is the version of the ABI, as in build.rs.
SONAME := libestore.so.1
REALNAME := $(SONAME).$(VERSION)
# Real data to show, used where it is there.
MORE := $(wildcard ../shared/data/redis-commits.txt)

.PHONY: help demo test crash kill fuzz bench lib install uninstall clean

help: ## lists the commands (the default)
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1\t/p' Makefile | expand -t 18

demo: lib ## loads a log file into a store and looks around in it; FILE=path for another than /var/log/dpkg.log
	$(CC) -std=c99 -O2 -Wall -Wextra -Iinclude examples/c/demo.c -L$(RELEASE) -lestore -Wl,-rpath,'$$ORIGIN' -o $(RELEASE)/demo
	$(RELEASE)/demo "$(FILE)"
	$(if $(MORE),$(RELEASE)/demo $(MORE))

test: ## checks everything: style, lints, docs, all tests, the examples in all languages
	@.ci/setup test
	cargo fmt --check
	@files=$$(gofmt -l examples) && test -z "$$files" || { echo "gofmt would change: $$files"; false; }
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

fuzz: ## fuzzes files and C ABI, guided by coverage; SECONDS=60 for each target, TARGET= for one; see fuzz/README.md
	@.ci/setup fuzz
	fuzz/run $(or $(SECONDS),60) $(TARGET)

bench: lib ## measures estore beside the machine's limit and other stores; ARGS= for the driver, see benches/README.md
	@.ci/setup bench
	cd benches && cargo run --release --locked --features peers -- --lib "$(abspath $(RELEASE))/libestore.so" $(ARGS)

crash: ## lets simulated machines lose power at random and checks every promise; CASES= crash images, SEED= the first case
	@.ci/setup crash
	ESTORE_CRASH_IMAGES="$(CASES)" ESTORE_CRASH_SEED="$${SEED:-$$(date +%s%N)}" \
	    cargo test --locked --profile crash --features shuttle --test crash -- --nocapture

lib: ## builds the shared and the static library into target/release
	@.ci/setup demo
	cargo build --release --locked
	ln -sf libestore.so $(RELEASE)/$(SONAME)

install: ## installs libraries, header and estore.pc; PREFIX=/usr/local, DESTDIR=
	test -e $(RELEASE)/$(SONAME) || $(MAKE) lib
	install -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig"
	install -m 644 include/estore.h "$(DESTDIR)$(INCLUDEDIR)/"
	install -m 644 $(RELEASE)/libestore.a "$(DESTDIR)$(LIBDIR)/"
	install -m 755 $(RELEASE)/libestore.so "$(DESTDIR)$(LIBDIR)/$(REALNAME)"
	ln -sf $(REALNAME) "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libestore.so"
	printf '%s\n' 'Name: estore' 'Description: Embedded append-only event store' 'Version: $(VERSION)' \
	    'Cflags: -I$(INCLUDEDIR)' 'Libs: -L$(LIBDIR) -lestore' 'Libs.private: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc' \
	    > "$(DESTDIR)$(LIBDIR)/pkgconfig/estore.pc"

uninstall: ## removes what install installed
	rm -f "$(DESTDIR)$(INCLUDEDIR)/estore.h" "$(DESTDIR)$(LIBDIR)/libestore.a" "$(DESTDIR)$(LIBDIR)/pkgconfig/estore.pc" \
	    "$(DESTDIR)$(LIBDIR)/libestore.so" "$(DESTDIR)$(LIBDIR)/$(SONAME)" "$(DESTDIR)$(LIBDIR)"/$(SONAME).[0-9]*

clean: ## removes what was built
	cargo clean
