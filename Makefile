# doorbell - GNU make, no configure step. `make help` lists the targets.
#
# SAN=asan|ubsan|sanitize|cover|fuzz selects instrumentation (sanitize: ASan and
# UBSan together); each has its own directory under build/.

CC ?= gcc
CFLAGS ?= -O2 -g
PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
DAEMONDIR ?= $(PREFIX)/lib/postfix/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/doorbell
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
DESTDIR ?=
INSTALL ?= install
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
CLANG ?= clang
GCC ?= gcc
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
SAN ?=
JOBS ?= 6
SIDE_BY_SIDE = -n $(JOBS) --dist loadgroup
V ?=

VERSION := 0.1.0
B ?= build/$(or $(SAN),plain)

PACKAGES := libevent_core libevent_extra libcares lmdb libpcre2-8 libssl \
	libcrypto libseccomp
override CPPFLAGS += -Iinclude -D_GNU_SOURCE -DDOORBELL_VERSION='"$(VERSION)"'
override CFLAGS += -std=c11 -pthread -fno-common -fPIE \
	-fstack-protector-strong -fstack-clash-protection \
	-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes \
	-Wundef -Wvla -Wformat=2
ifeq ($(shell uname -m),x86_64)
override CFLAGS += -fcf-protection=full
endif
override LDFLAGS += -pthread -pie -Wl,-z,relro,-z,now
LDLIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lresolv -lm
TEST_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)
ifneq ($(WERROR),)
override CFLAGS += -Werror
endif
SAN_FLAGS_asan := -fsanitize=address
SAN_FLAGS_ubsan := -fsanitize=undefined -fno-sanitize-recover=all
SAN_FLAGS_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_FLAGS_cover := --coverage -fprofile-update=atomic -DDOORBELL_COVER
# (its blocks hide from gcc that a variable was set)
SAN_FLAGS_count := -fsanitize-coverage=trace-pc -Wno-maybe-uninitialized
SAN_FLAGS_fuzz := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
ifneq ($(SAN),)
override CFLAGS += $(SAN_FLAGS_$(SAN)) -O$(if $(filter cover,$(SAN)),0,1) \
	-fno-omit-frame-pointer
override CPPFLAGS += -DDOORBELL_INSTRUMENTED
override LDFLAGS += $(SAN_FLAGS_$(SAN))
else
override CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# Under libFuzzer its own main() runs the targets, else ours runs the corpora.
FUZZ_MAIN = $(if $(filter fuzz,$(SAN)),,$B/tests/support/fuzz_main.o)
FUZZ_LDFLAGS = $(if $(filter fuzz,$(SAN)),-fsanitize=fuzzer)

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
SCALE_SRC := $(sort $(wildcard tests/scale/*.c))
SCALE_BIN := $(SCALE_SRC:%.c=$B/%)
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_BIN := $(patsubst %.c,$B/%,$(filter-out %/kit.c,$(BENCH_SRC)))
ALL_C := $(LIB_SRC) $(wildcard src/*.c) $(UNIT_SRC) $(FUZZ_SRC) \
	$(REPLAY_SRC) $(SCALE_SRC) $(SUPPORT_SRC) $(BENCH_SRC)
UNITS := $(notdir $(sort $(wildcard conf/*.service conf/*.socket conf/*.timer)))
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
	fuzz cover lint format format-check analyze tidy flow cppcheck man \
	demo deps install uninstall dist clean help check-all parity \
	integration-postscreen fuzz-run bench bench-run flood faults scale \
	scale-run soak chaos browser unrest

all: $(PROGRAMS)  ## build doorbelld and doorbellctl

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

$(FUZZ_BIN): $B/%: $B/%.o $$(FUZZ_MAIN) $$(call fakes,$$*.c) $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) $(FUZZ_LDFLAGS) -o $@ $^ $(LDLIBS)

# Only the library's steps are counted.
ifeq ($(SAN),count)
$B/tests/%.o: override CFLAGS := $(filter-out $(SAN_FLAGS_count),$(CFLAGS))
endif

$(SCALE_BIN): $B/%: $B/%.o $$(call fakes,$$*.c) $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/tests/support/table_query: $B/tests/support/table_query.o $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(REPLAY_BIN): $(REPLAY_SRC:%.c=$B/%.o) $$(call fakes,$$(REPLAY_SRC)) $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BENCH_BIN): $B/%: $B/%.o $B/tests/bench/kit.o $(LIB)
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Loaded into a running doorbelld by tests/integration/test_nth_call.py.
NTH_CALL := $B/tests/support/nth_call.so
$(NTH_CALL): $(wildcard tests/support/nth_call.*)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$Q$(CC) -std=c11 -D_GNU_SOURCE -Iinclude -Itests -O1 -g -fPIC -shared \
		-o $@ tests/support/nth_call.c -ldl

-include $(shell find build -name '*.d' 2>/dev/null)

# --- tests ------------------------------------------------------------------
# What `check` promises, each in a line of its own so that a failure names itself.
check:  ## all tests (installs what is missing; root)
	tests/support/deps.sh check
	$(MAKE) check-all

check-all: override WERROR := 1
check-all:
	$(MAKE) WERROR=1 all
	$(MAKE) WERROR=1 lint
	$(MAKE) WERROR=1 unit replay faults fuzz-corpus parity
	$(MAKE) WERROR=1 CC=$(CLANG) B=build/clang unit replay fuzz-corpus
	$(MAKE) WERROR=1 SAN=sanitize unit replay fuzz-corpus
	$(MAKE) WERROR=1 valgrind
	$(MAKE) WERROR=1 scale
	$(MAKE) WERROR=1 demo
	$(MAKE) WERROR=1 integration
	$(MAKE) WERROR=1 browser
	$(MAKE) WERROR=1 SAN=sanitize integration

unit: $(UNIT_BIN)  ## unit tests of every module
	$Qtests/support/run-tests.sh $(UNIT_BIN)

replay: $(REPLAY_BIN)  ## scenarios on a virtual clock
	$Q$(REPLAY_BIN) tests/replay/*.bell

# Each scenario again, with one call after another failing.
faults: $(REPLAY_BIN)  ## scenarios with each call failing once
	$Q$(REPLAY_BIN) -f tests/replay/*.bell

fuzz-corpus: $(FUZZ_BIN)  ## run every fuzz target over its corpus
	$Qset -e; for f in $(FUZZ_BIN); do \
		$$f tests/fuzz/corpus/$$(basename $$f | sed s/fuzz_//); done

parity: all $B/tests/support/table_query  ## same answers as postconf(1) and postmap(1)
	$QDOORBELLD=$B/doorbelld $(PYTHON) tests/parity/postconf.py
	$Q$(PYTHON) tests/parity/postmap.py $B/tests/support/table_query

integration: all $(BENCH_BIN) $(NTH_CALL)  ## a real Postfix and a real rbldnsd (root)
	$QDOORBELLD=$(CURDIR)/$B/doorbelld SCREENER=doorbelld \
		$(PYTHON) -m pytest -q $(SIDE_BY_SIDE) tests/integration

flood: all $(BENCH_BIN)  ## zombies by the ten thousand (root; minutes, no other load)
	$QFLOOD=1 DOORBELLD=$(CURDIR)/$B/doorbelld SCREENER=doorbelld \
		$(PYTHON) -m pytest -q tests/integration/test_overload.py

# Not a part of `check`: what fails here failed a check once in a hundred.
UNREST_SECONDS ?= 0.15
unrest: all $(BENCH_BIN) $(NTH_CALL)  ## the ring while its processes stand still at random (root)
	$QDOORBELLD=$(CURDIR)/$B/doorbelld SCREENER=doorbelld \
		unshare --pid --fork --mount-proc $(PYTHON) \
		tests/integration/unrest.py --longest $(UNREST_SECONDS) \
		$(if $(UNREST_SEED),--seed $(UNREST_SEED)) -- \
		$(PYTHON) -m pytest -q $(SIDE_BY_SIDE) \
		-m "not stops and not browser" tests/integration

# Neither is a part of `check`: they take ten minutes each. What they leave is in
# build/chaos.log, when the chaos ended badly.
SOAK_SECONDS ?= 600
SOAK_RELOAD ?= 20
SOAK_PACE ?= 1
soak: all $(BENCH_BIN)  ## ten minutes of mixed traffic, after which nothing has grown (root)
	$QDOORBELLD=$(CURDIR)/$B/doorbelld $(PYTHON) tests/soak/soak.py \
		--seconds $(SOAK_SECONDS) --reload $(SOAK_RELOAD) \
		--pace $(SOAK_PACE)

CHAOS_SECONDS ?= 600
chaos: all $(BENCH_BIN)  ## ten minutes in which all parts break, and no mail is lost (root)
	$QDOORBELLD=$(CURDIR)/$B/doorbelld $(PYTHON) tests/chaos/chaos.py \
		--seconds $(CHAOS_SECONDS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED)) \
		$(if $(FAULTS),--faults $(FAULTS))

# The same scenarios against Postfix's own postscreen: what passes there and
# here is what a site that moves will not notice.
browser: all  ## the status page in a real Chromium (root)
	$QDOORBELLD=$(CURDIR)/$B/doorbelld SCREENER=doorbelld \
		$(PYTHON) -m pytest -q $(SIDE_BY_SIDE) -m browser tests/integration

integration-postscreen:  ## the integration ring against postscreen(8)
	$QSCREENER=postscreen $(PYTHON) -m pytest -q $(SIDE_BY_SIDE) tests/integration

asan:  ## unit tests and scenarios under AddressSanitizer
	$(MAKE) SAN=asan unit replay fuzz-corpus

ubsan:  ## unit tests and scenarios under UndefinedBehaviorSanitizer
	$(MAKE) SAN=ubsan unit replay fuzz-corpus

scale:  ## what an event costs with 1,000 and 100,000 sessions, in steps
	$(MAKE) SAN=count scale-run

scale-run: $(SCALE_BIN)
	$Q$(SCALE_BIN)

VALGRIND := valgrind -q --error-exitcode=9 --leak-check=full \
	--errors-for-leak-kinds=definite --show-leak-kinds=definite \
	--child-silent-after-fork=yes
valgrind: $(UNIT_BIN) $(REPLAY_BIN)  ## unit tests and scenarios under valgrind
	$QWRAP="$(VALGRIND)" tests/support/run-tests.sh $(UNIT_BIN)
	$Q$(VALGRIND) $(REPLAY_BIN) tests/replay/*.bell

# libFuzzer, all targets side by side on two cores.
SECONDS ?= 60
fuzz:  ## run every fuzz target for SECONDS each (clang)
	$(MAKE) CC=$(CLANG) SAN=fuzz B=build/fuzz fuzz-run

fuzz-run: $(FUZZ_BIN)
	$Qset -e; for f in $(FUZZ_BIN); do \
		c=tests/fuzz/corpus/$$(basename $$f | sed s/fuzz_//); \
		mkdir -p $B/corpus/$$(basename $$f); \
		$$f -max_total_time=$(SECONDS) $B/corpus/$$(basename $$f) $$c; done

# What was counted before is forgotten: it may be of other code.
cover:  ## line coverage of unit tests and scenarios
	$Qmkdir -p build/cover && find build/cover -name '*.gcda' -delete
	$(MAKE) SAN=cover unit replay fuzz-corpus
	$Q$(PYTHON) tests/support/coverage.py build/cover

# SCENARIOS=fast,new5 runs some of them; BENCH_RUNS=5 takes the median of five
# runs, BENCH_SCALE=0.2 a fifth of all counts.
bench:  ## speed, memory and scale against postscreen(8) (root)
	tests/support/deps.sh bench
	$(MAKE) bench-run

bench-run: all $(BENCH_BIN)
	$QDOORBELLD=$(CURDIR)/$B/doorbelld $(PYTHON) tests/bench/bench.py \
		--build $B $(if $(SCENARIOS),--scenarios $(SCENARIOS))

# --- static checks ----------------------------------------------------------
lint: format-check man $B/doorbelld $B/doorbellctl  ## style, layers, tables against documents
	$Qset -e; for t in tests/lint/*.sh; do CC="$(CC)" DOORBELLD=$B/doorbelld $$t; done

# One file at a time, so that -j helps and only what has changed is looked at
# again. An exception stands where it is needed, as NOLINT with the reason.
TIDY := $(patsubst %.c,build/analyze/%.tidy,$(LIB_SRC) $(wildcard src/*.c))
FLOW := $(TIDY:.tidy=.flow)

analyze: tidy flow cppcheck  ## clang-tidy, gcc -fanalyzer and cppcheck

tidy: $(TIDY)
flow: $(FLOW)

# What they depend on is known when gcc has read them once.
build/analyze/%.tidy: %.c .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$Q$(CLANG_TIDY) --quiet $< -- $(CPPFLAGS) -std=c11 2>$@.err || \
		{ cat $@.err; exit 1; }
	@touch $@

build/analyze/%.flow: %.c
	@mkdir -p $(@D)
	$(call say,FLOW,$<)
	$Q$(GCC) $(CPPFLAGS) -std=c11 -O2 -fanalyzer -Werror -c -o $@.o \
		-MMD -MP -MF $@.d -MT '$@ $(@:.flow=.tidy)' $<
	@touch $@

cppcheck:
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		--enable=warning,portability --suppress=missingIncludeSystem \
		--suppress=ctuuninitvar \
		-Iinclude -D_GNU_SOURCE src

man:  ## check the manual pages
	$Qmandoc -Tlint -W warning $(MAN)

format:  ## reformat all C files
	$(CLANG_FORMAT) -i $(ALL_C) $(ALL_H)

format-check:  ## fail when a C file is not formatted
	$Q$(CLANG_FORMAT) --dry-run -Werror $(ALL_C) $(ALL_H)

# --- for people ---------------------------------------------------------------
demo:  ## doorbelld in front of a real Postfix (installs what is missing; root)
	@tests/support/deps.sh demo
	@$(MAKE) -s all
	$QDOORBELLD=$(CURDIR)/$B/doorbelld $(PYTHON) tests/demo/demo.py

deps:  ## install what building and testing needs (root)
	tests/support/deps.sh check

install: all  ## install programs, manual pages and samples
	$(INSTALL) -d $(DESTDIR)$(DAEMONDIR) $(DESTDIR)$(SBINDIR) \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(DOCDIR) $(DESTDIR)$(BASHDIR)
	$(INSTALL) -m 755 $B/doorbelld $(DESTDIR)$(DAEMONDIR)/doorbelld
	$(INSTALL) -m 755 $B/doorbelld $B/doorbellctl $(DESTDIR)$(SBINDIR)
	$(INSTALL) -m 644 man/*.5 $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 man/*.8 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 README.md LICENSE conf/doorbell.cf $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 644 conf/grafana-dashboard.json \
		conf/prometheus-alerts.yml $(DESTDIR)$(DOCDIR)
	$(INSTALL) -d $(DESTDIR)$(DOCDIR)/fail2ban
	$(INSTALL) -m 644 conf/fail2ban/filter.d/doorbell.conf \
		$(DESTDIR)$(DOCDIR)/fail2ban/filter.conf
	$(INSTALL) -m 644 conf/fail2ban/jail.d/doorbell.conf \
		$(DESTDIR)$(DOCDIR)/fail2ban/jail.conf
	$(INSTALL) -m 644 conf/doorbellctl.bash $(DESTDIR)$(BASHDIR)/doorbellctl
	$(INSTALL) -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) \
		$(DESTDIR)$(TMPFILESDIR)
	set -e; for u in $(UNITS); do \
		sed 's|/usr/sbin/doorbell|$(SBINDIR)/doorbell|g' conf/$$u \
			>$(DESTDIR)$(UNITDIR)/$$u; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$u; done
	$(INSTALL) -m 644 conf/doorbell.sysusers \
		$(DESTDIR)$(SYSUSERSDIR)/doorbell.conf
	$(INSTALL) -m 644 conf/doorbell.tmpfiles \
		$(DESTDIR)$(TMPFILESDIR)/doorbell.conf

uninstall:  ## remove what install put there
	$(RM) $(DESTDIR)$(DAEMONDIR)/doorbelld $(DESTDIR)$(SBINDIR)/doorbelld \
		$(DESTDIR)$(SBINDIR)/doorbellctl
	$(RM) $(patsubst man/%,$(DESTDIR)$(MANDIR)/man5/%,$(wildcard man/*.5))
	$(RM) $(patsubst man/%,$(DESTDIR)$(MANDIR)/man8/%,$(wildcard man/*.8))
	$(RM) $(DESTDIR)$(BASHDIR)/doorbellctl
	$(RM) -r $(DESTDIR)$(DOCDIR)
	$(RM) $(patsubst %,$(DESTDIR)$(UNITDIR)/%,$(UNITS)) \
		$(DESTDIR)$(SYSUSERSDIR)/doorbell.conf \
		$(DESTDIR)$(TMPFILESDIR)/doorbell.conf

dist:  ## a source archive of the last commit
	@mkdir -p build
	git archive --prefix=doorbell-$(VERSION)/ -o build/doorbell-$(VERSION).tar.gz HEAD

clean:  ## remove what was built
	$(RM) -r build compile_commands.json
