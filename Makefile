# doorbell - GNU make, no configure step. `make help` lists the targets.
#
# SAN=asan|ubsan|sanitize selects instrumentation; every combination has its
# own directory under build/.

CC ?= gcc
CFLAGS ?= -O2 -g
PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/doorbell
SYSCONFDIR ?= /etc
DESTDIR ?=
INSTALL ?= install
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
CLANG ?= clang
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
SAN ?=
V ?=

VERSION := 0.1.0
B ?= build/$(or $(SAN),plain)

PACKAGES := libevent_core libcares lmdb libpcre2-8
override CPPFLAGS += -Iinclude -D_GNU_SOURCE -DDOORBELL_VERSION='"$(VERSION)"'
override CFLAGS += -std=c11 -pthread -fno-common -fPIE \
	-fstack-protector-strong -fstack-clash-protection \
	-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes \
	-Wundef -Wvla -Wformat=2
override LDFLAGS += -pthread -pie -Wl,-z,relro,-z,now
LDLIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES))
TEST_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)
ifneq ($(WERROR),)
override CFLAGS += -Werror
endif
SAN_FLAGS_asan := -fsanitize=address
SAN_FLAGS_ubsan := -fsanitize=undefined -fno-sanitize-recover=all
SAN_FLAGS_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_FLAGS_cover := --coverage
ifneq ($(SAN),)
override CFLAGS += $(SAN_FLAGS_$(SAN)) -O1 -fno-omit-frame-pointer
override LDFLAGS += $(SAN_FLAGS_$(SAN))
else
override CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

LIB_SRC := $(sort $(wildcard src/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o)
LIB := $B/libdoorbell.a
PROGRAMS := $(patsubst src/%.c,$B/%,$(wildcard src/*.c))

UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$B/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:%.c=$B/%)
REPLAY_SRC := $(sort $(wildcard tests/replay/*.c))
REPLAY_BIN := $(if $(REPLAY_SRC),$B/tests/replay/replay)
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
ALL_C := $(LIB_SRC) $(wildcard src/*.c) $(UNIT_SRC) $(FUZZ_SRC) \
	$(REPLAY_SRC) $(SUPPORT_SRC)
ALL_H := $(sort $(wildcard include/*/*.h tests/*/*.h))
MAN := $(sort $(wildcard man/*.[1-9]))

# A test names the fakes that take the place of library modules in a line
# "/* links: fake_clock fake_loop */".
fakes = $(patsubst %,$B/tests/support/%.o,$(shell \
	sed -n 's|^/\* links: \(.*\) \*/$$|\1|p' $1))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $1 $2)

.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:
.PHONY: all check unit replay fuzz-corpus integration asan ubsan valgrind \
	fuzz cover lint format format-check tidy man demo deps install \
	uninstall dist clean help

all: $(PROGRAMS)  ## build doorbelld

help:  ## this list
	@sed -n 's/^\([a-z][a-z -]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

# --- building ---------------------------------------------------------------
$B/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)
	$Q$(RM) $@ && $(AR) rcs $@ $^

$(PROGRAMS): $B/%: $B/src/%.o $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/tests/%.o: override CPPFLAGS += -Itests -DTEST_SOURCE_DIR='"$(CURDIR)/tests"'

$(UNIT_BIN): $B/%: $B/%.o $$(call fakes,$$*.c) $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(TEST_LIBS)

$(FUZZ_BIN): $B/%: $B/%.o $B/tests/support/fuzz_main.o $$(call fakes,$$*.c) $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(REPLAY_BIN): $(REPLAY_SRC:%.c=$B/%.o) $$(call fakes,$$(REPLAY_SRC)) $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

-include $(shell find build -name '*.d' 2>/dev/null)

# --- tests ------------------------------------------------------------------
unit: $(UNIT_BIN)  ## unit tests of every module
	$Qtests/support/run-tests.sh $(UNIT_BIN)

replay: $(REPLAY_BIN)  ## scenarios on a virtual clock
	$Q$(if $(REPLAY_BIN),$(REPLAY_BIN) tests/replay/*.bell)

fuzz-corpus: $(FUZZ_BIN)  ## run every fuzz target over its corpus
	$Qset -e; for f in $(FUZZ_BIN); do \
		$$f tests/fuzz/corpus/$$(basename $$f | sed s/fuzz_//); done

asan:  ## unit tests and scenarios under AddressSanitizer
	$(MAKE) SAN=asan unit replay fuzz-corpus

ubsan:  ## unit tests and scenarios under UndefinedBehaviorSanitizer
	$(MAKE) SAN=ubsan unit replay fuzz-corpus

clean:  ## remove what was built
	$(RM) -r build compile_commands.json

format:  ## reformat all C files
	$(CLANG_FORMAT) -i $(ALL_C) $(ALL_H)

format-check:  ## fail when a C file is not formatted
	$(CLANG_FORMAT) --dry-run -Werror $(ALL_C) $(ALL_H)
