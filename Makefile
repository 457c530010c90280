# lacus: an embeddable Lua 5.4 worker pool. GNU make; `make help` lists the
# targets. Everything that is made lies under build/, but for dist/.

# ---- settings: a packager may override any of these -------------------------

CC       ?= cc
AR       ?= ar
CFLAGS   ?= -O2 -g
CPPFLAGS ?=
LDFLAGS  ?=
PREFIX   ?= /usr/local
DESTDIR  ?=
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib
INCDIR   ?= $(PREFIX)/include
MANDIR   ?= $(PREFIX)/share/man
LUA_CMOD ?= $(PREFIX)/lib/lua/5.4
LUA_LMOD ?= $(PREFIX)/share/lua/5.4

# Lua 5.4 is found by pkg-config, unless both of these are given: the folder of
# lua.h, and the static library that the host binary holds. LUA_LINK is what
# liblacus.so links with then; empty: it finds Lua in the program.
LUA_INCDIR ?=
LUA_LIB    ?=
LUA_LINK   ?=

# Line editing for the REPL: 1 or 0; empty: 1 where readline's header is found.
# READLINE_LIBS links it.
READLINE ?=
READLINE_LIBS ?= -lreadline

# What the tests run with: stock Lua (found if empty), busted, LuaRocks.
LUA      ?=
BUSTED   ?=
LUAROCKS ?= luarocks --lua-version=5.4

# Seconds that one part of the tests, and one fuzz target, may take.
LIMIT    ?= 600
SECONDS ?= 30

# Where this configuration is built, and its sanitizer; see `tsan` and `asan`.
BUILD    ?= build
SANITIZE ?=
V        ?=

# ---- sources, floor by floor: each includes only what stands above it here ---

base   := $(patsubst %,src/base/%.c,mem pages shared clock thread park bell random)
value  := $(patsubst %,src/value/%.c,message common scratch state decode hosted names object \
	recall decode_ident decode_record encode encode_array encode_ident image \
	refuse encode_record)
run    := $(patsubst %,src/run/%.c,heap interrupt timer fiber state worker)
pool   := $(patsubst %,src/pool/%.c,call retry batch env fault home dialogue turn credit \
	supply stream future answer offer stop items yield run crew room schedule watch post pool)
shared :=
lib    := $(patsubst %,src/lib/%.c,generator body range source lib_option map_option lib_error lib_wait lib_future lib_generate \
	lib_map lib_results lib_random sandbox lib_pool lib_coroutine lib_process lib_worker lib_script lib)
host   := $(patsubst %,src/host/%.c,call options line repl main)

# Lua sugar: embedded in the binaries as bytecode, installed as files by a rock.
sugar  := $(filter-out %/types.lua,$(sort $(wildcard lua/lacus/*.lua)))
# The Lua part of the REPL, embedded in the host.
scripts := $(sort $(wildcard src/host/*.lua))

# What lacus.h declares, beside lib: in the C library alone.
api    := $(patsubst %,src/api/%.c,api_work api_log api_poll api_future api_generator \
	api_pool)

# Programs: each file is one.
ctests := $(sort $(wildcard spec/c/*.c))
# The value floor and the sources know no threads: nothing for that tool to see.
ifneq ($(findstring thread,$(SANITIZE)),)
  ctests := $(filter-out spec/c/value_% spec/c/source.c,$(ctests))
endif
fuzz   := $(sort $(wildcard spec/fuzz/*.c))
models := $(sort $(wildcard spec/model/*.pml))
cbench := $(sort $(wildcard bench/*.c))
cexamples := $(sort $(wildcard examples/*.c))

# ---- flags -------------------------------------------------------------------

# The three errors are mistakes in any C; newer compilers refuse them anyway.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
	-Werror=int-conversion
lc_flags = -std=c11 $(WARN) $(WERROR) -Isrc $(lua_flags) -DLACUS_EMBED \
	-pthread $(SANITIZE) $(CFLAGS) $(CPPFLAGS)
lc_libs = $(lua_lib) -lm -ldl -pthread

# Found when first used, which is after tools/setup has installed pkg-config.
once = $(eval $(1) := $(2))$($(1))
find_lua  = $(shell LUA_INCDIR='$(LUA_INCDIR)' LUA_LIB='$(LUA_LIB)' LUA='$(LUA)' tools/find-lua $(1))
lua_flags = $(call once,lua_flags,$(call find_lua,cflags))
lua_lib   = $(call once,lua_lib,$(call find_lua,lib))
lua_exe   = $(call once,lua_exe,$(call find_lua,exe))
lua_link  = $(call once,lua_link,$(or $(LUA_LINK),$(call find_lua,link)))
lua_package = $(call once,lua_package,$(call find_lua,package))
busted    = $(call once,busted,$(or $(BUSTED),$(shell command -v busted)))

find_readline = $(shell $(CC) -E -xc $(CPPFLAGS) -include stdio.h \
	-include readline/readline.h /dev/null >/dev/null 2>&1 && echo 1 || echo 0)
readline  = $(call once,readline,$(or $(READLINE),$(find_readline)))
with_readline = $(filter 1,$(readline))

# The host binary holds all of the Lua core and exports its API, and nothing
# else, so that stock C modules share the one core. A module links no Lua. The core
# comes first, after an object that puts it at a good place (tools/place).
ifeq ($(shell uname),Darwin)
  export_lua = -Wl,-force_load,$(lua_lib) -Wl,-exported_symbol,_lua*
  shared_flags = -bundle -undefined dynamic_lookup
  lib_flags = -dynamiclib -undefined dynamic_lookup
else
  export_lua = $(place) -Wl,--whole-archive $(lua_lib) -Wl,--no-whole-archive \
	-Wl,--dynamic-list=$(gen)/lua.list
  shared_flags = -shared
  lib_flags = -shared -Wl,-soname,liblacus.so.$(abi)
endif

# ---- what is built ------------------------------------------------------------

gen      := build/gen
core_src := $(base) $(value) $(run) $(pool) $(shared) $(lib) $(gen)/sugar.c
core_obj := $(core_src:%.c=$(BUILD)/obj/host/%.o)
host_obj := $(host:%.c=$(BUILD)/obj/host/%.o) $(BUILD)/obj/host/$(gen)/scripts.o
mod_obj  := $(core_src:%.c=$(BUILD)/obj/module/%.o)
api_obj  := $(api:%.c=$(BUILD)/obj/host/%.o)
lib_obj  := $(mod_obj) $(api:%.c=$(BUILD)/obj/module/%.o)
core     := $(BUILD)/obj/core.a
lacus    := $(BUILD)/lacus
module   := $(BUILD)/module/lacus.so
archive  := $(BUILD)/lib/liblacus.a
place    := $(BUILD)/obj/place.o
version  := $(shell sed -n 's/^.define LACUS_VERSION "\(.*\)"/\1/p' src/lacus.h)
abi      := $(shell sed -n 's/^.define LACUS_ABI //p' src/lacus.h)
library  := $(BUILD)/lib/liblacus.so.$(abi)
ctest_bin := $(ctests:%.c=$(BUILD)/%)
bench_bin := $(cbench:%.c=$(BUILD)/%)
example_bin := $(cexamples:%.c=$(BUILD)/%)
fuzz_bin  := $(fuzz:%.c=build/fuzz/%)

# Unless told otherwise, compile on every processor this process may use.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
  MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all host module lib c-examples amalgamation specs-dist outside run test check bench bench-value bench-plot install uninstall clean \
	help setup-build setup-test setup-check need ctests ctests-build \
	specs-host specs-lua rock examples symbols tsan asan lint floors lists fuzz \
	cppcheck tidy analyze locks coverage memcheck helgrind memcheck-few helgrind-few oom fuzz-api \
	soak model \
	warn-gcc warn-clang cplusplus print-sources testes install-host instructions instructions-write always

say = $(if $(V),,@echo '  $(1)' '$(2)';)

all: host module lib
host: $(lacus)
module: $(module)
lib: $(archive) $(library)
amalgamation: dist/lacus.c dist/lacus.h
c-examples: $(example_bin)

$(BUILD)/obj/host/%.o: %.c | need
	@mkdir -p $(@D)
	$(call say,CC    ,$@)$(CC) $(lc_flags) -MMD -MP -c -o $@ $<

$(BUILD)/obj/module/%.o: %.c | need
	@mkdir -p $(@D)
	$(call say,CC    ,$@)$(CC) $(lc_flags) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

# An archive, so that a test of the lowest floor links no Lua.
$(core): $(core_obj) $(api_obj) Makefile
	@rm -f $@
	$(call say,AR    ,$@)$(AR) rcs $@ $(core_obj) $(api_obj)

# The C library. Both are position independent: a game may put the archive into
# a plug-in. The shared one brings the system's Lua: the archive of Lua could not
# be put into it, and a second core would be loaded beside the program's own.
$(archive): $(lib_obj) Makefile
	@mkdir -p $(@D); rm -f $@
	$(call say,AR    ,$@)$(AR) rcs $@ $(lib_obj)

$(library): $(lib_obj)
	@mkdir -p $(@D)
	$(call say,LINK  ,$@)$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) $(lib_flags) -o $@ \
	$(lib_obj) $(lua_link) -pthread
	@ln -sf liblacus.so.$(abi) $(BUILD)/lib/liblacus.so

$(place): tools/place Makefile | need
	@mkdir -p $(@D)
	$(call say,PLACE ,$@)tools/place $@ $(lua_lib) $(CC)

$(lacus): $(core_obj) $(host_obj) $(place) $(gen)/lua.list
	$(call say,LINK  ,$@)$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -o $@ $(export_lua) \
	$(host_obj) $(core_obj) $(if $(with_readline),$(READLINE_LIBS)) -lm -ldl -pthread

$(module): $(mod_obj)
	@mkdir -p $(@D)
	$(call say,LINK  ,$@)$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) $(shared_flags) -o $@ \
	$(mod_obj) -pthread

$(ctest_bin) $(bench_bin): $(BUILD)/%: $(BUILD)/obj/host/%.o $(core)
	@mkdir -p $(@D)
	$(call say,LINK  ,$@)$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -rdynamic -o $@ $< $(core) $(lc_libs)

# Examples see the public header alone.
$(BUILD)/include/lacus.h: src/lacus.h
	@mkdir -p $(@D)
	@cp $< $@

$(BUILD)/obj/example/%.o: examples/%.c $(BUILD)/include/lacus.h | need
	@mkdir -p $(@D)
	$(call say,CC    ,$@)$(CC) -std=c11 $(WARN) $(WERROR) -I$(BUILD)/include $(lua_flags) \
	-pthread $(SANITIZE) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(example_bin): $(BUILD)/examples/%: $(BUILD)/obj/example/%.o $(archive)
	@mkdir -p $(@D)
	$(call say,LINK  ,$@)$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -rdynamic -o $@ $< $(archive) $(lc_libs)

$(gen)/lua.list: Makefile
	@mkdir -p $(@D)
	@echo '{ lua_*; luaL_*; luaopen_*; };' > $@

# One file for all; any Lua 5.4 may be the one it meets, so no bytecode in it.
$(gen)/sugar_text.c: $(gen)/embed $(sugar) $(wildcard lua/lacus)
	$(call say,EMBED ,$@)$(gen)/embed --source lib/sugar.h lc_sugar $(sugar) > $@

dist_src := $(base) $(value) $(run) $(pool) $(shared) $(lib) $(gen)/sugar_text.c $(api)

dist/lacus.c: tools/amalgamate.lua $(dist_src) $(wildcard src/*/*.h) | need
	@mkdir -p dist
	$(call say,WRITE ,$@)$(lua_exe) tools/amalgamate.lua $(dist_src) > $@

dist/lacus.h: src/lacus.h
	@mkdir -p dist
	@cp $< $@

# The host over that one file, for the specs.
dist_host := $(BUILD)/dist/lacus

$(BUILD)/dist/lacus.o: dist/lacus.c dist/lacus.h
	@mkdir -p $(@D)
	$(call say,CC    ,$@)$(CC) -std=c11 $(WARN) -Werror $(lua_flags) -pthread $(SANITIZE) \
	$(CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(dist_host): $(BUILD)/dist/lacus.o $(host_obj) $(place) $(gen)/lua.list
	$(call say,LINK  ,$@)$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -o $@ $(export_lua) \
	$(host_obj) $(BUILD)/dist/lacus.o $(if $(with_readline),$(READLINE_LIBS)) -lm -ldl -pthread

# The folder is a prerequisite too: a file that goes away counts as a change.
$(gen)/sugar.c: $(gen)/embed $(sugar) $(wildcard lua/lacus)
	$(call say,EMBED ,$@)$(gen)/embed lib/sugar.h lc_sugar $(sugar) > $@

$(gen)/scripts.c: $(gen)/embed $(scripts) $(wildcard src/host)
	$(call say,EMBED ,$@)$(gen)/embed host/script.h lc_host_scripts $(scripts) > $@

# Another value of READLINE than last time builds line.o anew.
$(BUILD)/obj/host/src/host/line.o: $(BUILD)/readline
$(BUILD)/obj/host/src/host/line.o: lc_flags += $(if $(with_readline),-DLACUS_READLINE)
$(BUILD)/readline: always
	@mkdir -p $(@D)
	@echo '$(readline)' | cmp -s - $@ || echo '$(readline)' > $@

$(gen)/embed: tools/embed.c | need
	@mkdir -p $(@D)
	$(call say,CC    ,$@)$(CC) -std=c11 $(WARN) $(lua_flags) $(CFLAGS) -o $@ $< $(lc_libs)

-include $(core_obj:.o=.d) $(host_obj:.o=.d) $(lib_obj:.o=.d) $(api_obj:.o=.d)
-include $(ctests:%.c=$(BUILD)/obj/host/%.d) $(cbench:%.c=$(BUILD)/obj/host/%.d)

# ---- what the machine needs ------------------------------------------------------

# `need` only says what is missing; run, test, check and bench install it.
need:
	@LUA_INCDIR='$(LUA_INCDIR)' LUA_LIB='$(LUA_LIB)' READLINE='$(READLINE)' tools/setup --report build
setup-build setup-test setup-check: setup-%:
	@LUA_INCDIR='$(LUA_INCDIR)' LUA_LIB='$(LUA_LIB)' READLINE='$(READLINE)' tools/setup $*

# ---- running -----------------------------------------------------------------------

run: setup-build
	@$(MAKE) host
	$(lacus) examples/wordcount.lua

bench: setup-test
	@$(MAKE) all $(BUILD)/bench/bare
	$(spec_env) LACUS_BARE=$(BUILD)/bench/bare $(lacus) bench/run.lua

bench-plot: host
	$(lacus) bench/plot.lua

bench-value: $(filter %/value,$(bench_bin))
	$<

# ---- tests ---------------------------------------------------------------------------

# Each part goes on record through tools/tally; a part that crashes, hangs or
# says nothing counts as a failure. The last line sums them up.
test_parts  := all symbols ctests specs-host specs-lua rock examples outside
check_parts := floors lists lint cppcheck tidy analyze locks oom instructions warn-gcc warn-clang cplusplus specs-dist tsan asan memcheck-few helgrind-few

test: setup-test
	@rm -rf build/tally/test
	@TALLY=build/tally/test; export TALLY; for part in $(test_parts); do \
	  tools/tally begin; $(MAKE) $$part || tools/tally missed $$part; done; tools/tally sum

check: setup-check
	@rm -rf build/tally/check
	@TALLY=build/tally/check; export TALLY; for part in $(check_parts); do \
	  tools/tally begin; $(MAKE) $$part || tools/tally missed $$part; done; tools/tally sum

# Specs learn from these what they run on; spec/support/proc.lua reads them.
spec_env = LACUS_BUILD=$(BUILD) LACUS_BIN=$(lacus) LACUS_MODULE=$(module) LACUS_LUA=$(lua_exe)
specs    = $(busted) -o spec/support/handler.lua --pattern=_spec $(SPEC_FLAGS) $(or $(SPEC),spec)
tally    = LIMIT=$(LIMIT) tools/tally

ctests-build: $(ctest_bin)
ctests:
	@status=0; $(MAKE) -k ctests-build || status=1; for t in $(ctest_bin); do \
	  $(tally) tests $$t $$t || status=1; done; exit $$status

specs-host: host
	@$(spec_env) LACUS_ON=host $(tally) tests $(BUILD)/specs-host $(lacus) $(specs)

specs-lua: host module
	@$(spec_env) LACUS_ON=lua LUA_CPATH='$(BUILD)/module/?.so;;' \
	  $(tally) tests $(BUILD)/specs-lua $(lua_exe) $(specs) --exclude-tags=host

# Through the host that is made of the amalgamation.
specs-dist: $(dist_host)
	@$(subst $(lacus),$(dist_host),$(spec_env)) LACUS_ON=host \
	  $(tally) tests $(BUILD)/specs-dist $(dist_host) $(specs)

rock:
	@if command -v luarocks >/dev/null; then LUA=$(lua_exe) LUAROCKS='$(LUAROCKS)' \
	  $(tally) tests rock tools/rock; \
	else tools/tally skipped rock 'no luarocks'; fi

examples: host c-examples
	@$(spec_env) $(tally) tests examples $(lacus) tools/examples.lua

outside: all amalgamation
	@if command -v pkg-config >/dev/null; then CC='$(CC)' $(tally) tests outside tools/outside; \
	else tools/tally skipped outside 'no pkg-config'; fi

# Lua's own test suite: docs/lua-tests.md says where it is.
testes: host
	@$(spec_env) LUA_CFLAGS='$(lua_flags)' CC='$(CC)' LIMIT=$$(( $(LIMIT) * 2 )) \
	  tools/tally tests testes $(lacus) tools/testes.lua '$(TESTES)'

symbols: all
	@LUA=$(lua_exe) $(tally) tests symbols tools/symbols $(lacus) $(module) $(library)

# ---- checks ---------------------------------------------------------------------------

floors:
	@$(tally) tests floors $(lua_exe) tools/floors.lua --self-test

lists:
	@$(tally) tests lists $(lua_exe) tools/lists.lua \
	  $(core_src) -- $(sugar) -- $(host) $(api)

lint:
	@if command -v luacheck >/dev/null; then \
	  $(tally) check luacheck luacheck -q --codes \
	  $(wildcard lua spec tools bench examples); \
	else tools/tally skipped luacheck 'no luacheck'; fi

# What these find is mended, or suppressed in place with the reason. tools/analyze.h
# tells them what does not return; .clang-tidy lists the checks that we agreed on.
linted := $(filter-out $(gen)/%,$(core_src)) $(api) $(host)
lint_flags = -std=c11 -Isrc $(lua_flags) -DLACUS_EMBED

cppcheck:
	@if command -v cppcheck >/dev/null; then $(tally) check cppcheck cppcheck -q \
	  --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	  --inline-suppr --include=tools/analyze.h -D__LP64__ -U__APPLE__ -Isrc \
	  -DLACUS_EMBED $(linted); \
	else tools/tally skipped cppcheck 'no cppcheck'; fi

tidy:
	@if command -v clang-tidy >/dev/null; then $(tally) check clang-tidy clang-tidy \
	  --quiet $(linted) -- $(lint_flags) -include tools/analyze.h; \
	else tools/tally skipped clang-tidy 'no clang-tidy'; fi

# gcc's own; -O2, since it looks further through what is inlined.
analyze:
	@if gcc -fanalyzer -E -x c /dev/null >/dev/null 2>&1; then \
	  $(tally) check analyzer sh -ec 'for f; do gcc $(lint_flags) -O2 -fanalyzer -Werror \
	    -include tools/analyze.h -c -o /dev/null $$f; done' - $(linted); \
	else tools/tally skipped analyzer 'no gcc -fanalyzer'; fi

locks:
	@if command -v clang >/dev/null; then $(tally) check locks clang $(lint_flags) \
	  -fsyntax-only -Wthread-safety -Wthread-safety-beta -Werror $(linted); \
	else tools/tally skipped locks 'no clang'; fi

warn-gcc warn-clang: warn-%:
	@if command -v $* >/dev/null; then $(tally) check warnings-$* $(MAKE) \
	  BUILD=build/warn-$* CC=$* WERROR=-Werror all ctests-build c-examples; \
	else tools/tally skipped warnings-$* 'no $*'; fi

# A fixed workload may not execute more than bench/instructions.txt says; with a
# clock that stands still, so that it is fixed. instructions-write accepts what is.
instructions instructions-write: $(gen)/sugar.c $(gen)/scripts.c $(gen)/lua.list
	@if ! command -v valgrind >/dev/null; then tools/tally skipped instructions 'no valgrind'; exit; fi; \
	if ! "$(lua_exe)" -v >/dev/null 2>&1; then tools/tally skipped instructions 'no stock Lua'; exit; fi; \
	$(MAKE) BUILD=build/still CFLAGS='-O2 -g' CPPFLAGS=-DLC_TICKS_STILL host || exit 1; \
	CC='$(CC)' LACUS_LUA='$(lua_exe)' $(tally) tests instructions $(lua_exe) tools/instructions.lua \
	  build/still/lacus $(if $(filter %-write,$@),--write)

# The amalgamation is to compile as C++ too.
cplusplus: $(gen)/sugar.c $(gen)/scripts.c
	@if command -v g++ >/dev/null; then $(tally) check c++ g++ -x c++ -std=gnu++23 \
	  -Wall -Wextra -fsyntax-only -Isrc $(lua_flags) -DLACUS_EMBED $(core_src) $(api) $(host) $(gen)/scripts.c; \
	else tools/tally skipped c++ 'no g++'; fi

# These build in folders of their own, but share what is generated.
warn-gcc warn-clang tsan asan: $(gen)/sugar.c $(gen)/scripts.c $(gen)/lua.list

# The heads of the models say what is run; MODEL=word for some of it.
model:
	@if command -v spin >/dev/null; then LIMIT=$$(( $(LIMIT) * 3 )) MODEL='$(MODEL)' \
	  CC='$(CC)' tools/tally tests model tools/model build/model $(models); \
	else tools/tally skipped model 'no spin'; fi

# Specs tagged #notsan or #noasan cannot run under that sanitizer: the spec says why.
tsan: export TSAN_OPTIONS = halt_on_error=1:exitcode=66:second_deadlock_stack=1
asan: export ASAN_OPTIONS = detect_leaks=1:exitcode=67:detect_stack_use_after_return=1
asan: export LSAN_OPTIONS = exitcode=68
asan: export UBSAN_OPTIONS = print_stacktrace=1:halt_on_error=1:exitcode=69
tsan asan:
	@tools/sanitizer $@ $(CC) || exit 0; status=0; for part in ctests specs-host; do \
	  $(MAKE) BUILD=build/$@ CFLAGS='-O1 -g -fno-omit-frame-pointer' \
	    SANITIZE="`tools/sanitizer --flags $@`" LIMIT=$$(( $(LIMIT) * 3 )) \
	    SPEC_FLAGS='$(SPEC_FLAGS) --exclude-tags=no$@' $$part || status=1; done; exit $$status

# Lines and branches of src/ that the C tests and specs reach: build/coverage/html.
# Through stock Lua too, for what only the module does. See docs/coverage.md.
coverage: $(gen)/sugar.c $(gen)/lua.list
	@if ! command -v gcovr >/dev/null; then tools/tally skipped coverage 'no gcovr'; exit; fi; \
	rm -f `find build/coverage -name '*.gcda' 2>/dev/null`; status=0; \
	for part in ctests specs-host specs-lua; do $(MAKE) BUILD=build/coverage CFLAGS='-O0 -g' \
	  SANITIZE='--coverage -fprofile-update=atomic' LIMIT=$$(( $(LIMIT) * 2 )) $$part || status=1; done; \
	mkdir -p build/coverage/html; gcovr --root . --filter src/ --object-directory build/coverage \
	  --html-details build/coverage/html/index.html --print-summary --sort-uncovered \
	  --exclude-unreachable-branches --txt build/coverage/summary.txt || status=1; exit $$status

# Slow: the C tests, and the specs of what threads and memory are about. Lua's own
# blocks come from our chunks, so the heap is built plain for valgrind to see them.
grind_specs ?= spec/memory_spec.lua spec/recycle_spec.lua spec/future_spec.lua spec/regress
grind_tests_memcheck = $(ctests)
grind_tests_helgrind = $(filter-out spec/c/value_% spec/c/source.c,$(ctests))   # no threads
grind_memcheck = --leak-check=full --errors-for-leak-kinds=definite,indirect
grind_helgrind = --tool=helgrind --history-level=approx
memcheck helgrind: $(gen)/sugar.c $(gen)/lua.list
	@if ! command -v valgrind >/dev/null; then tools/tally skipped $@ 'no valgrind'; exit; fi; \
	$(MAKE) BUILD=build/grind CFLAGS='-O1 -g' CPPFLAGS=-DLACUS_PLAIN_HEAP host ctests-build || exit 1; \
	BUILD=build/grind LIMIT=$$(( $(LIMIT) * 6 )) LUA_EXE=$(lua_exe) BUSTED=$(busted) \
	  tools/grind $@ '$(grind_$@)' '$(patsubst %.c,build/grind/%,$(grind_tests_$@))' '$(grind_specs)'

# Those for every change.
grind_few = $(addprefix spec/c/,api_pool.c base_park.c pool_dialogue.c pool_stream.c value_object.c)
memcheck-few helgrind-few:
	@$(MAKE) $(@:-few=) grind_tests_$(@:-few=)='$(filter $(grind_tests_$(@:-few=)),$(grind_few))' \
	  grind_specs=spec/recycle_spec.lua

# Failure injection: see spec/oom/shim.c and tools/oom.lua. ROUNDS=n SEED=n, or OOM=all.
ROUNDS ?= 60
SEED   ?=
OOM    ?=
oom_calls := malloc calloc realloc pthread_create pthread_attr_init pthread_mutex_init \
	pthread_cond_init pthread_condattr_init pthread_condattr_setclock clock_gettime \
	sigaction pthread_sigmask pipe pipe2 eventfd mmap sched_getaffinity
oom: $(gen)/sugar.c $(gen)/lua.list
	@tools/sanitizer asan $(CC) || exit 0; mkdir -p build/oom; \
	$(CC) -std=c11 $(WARN) -O1 -g -c -o build/oom/shim.o spec/oom/shim.c && \
	$(MAKE) BUILD=build/oom CFLAGS='-O1 -g -fno-omit-frame-pointer' \
	  SANITIZE="`tools/sanitizer --flags asan`" \
	  LDFLAGS='build/oom/shim.o $(oom_calls:%=-Wl,--wrap=%)' host && \
	LIMIT=$(if $(OOM),86400,$$(( $(LIMIT) * 3 ))) ROUNDS=$(ROUNDS) SEED=$(SEED) \
	  tools/tally tests oom $(lua_exe) tools/oom.lua build/oom/lacus $(OOM)

# Fuzz targets are libFuzzer's: LLVMFuzzerTestOneInput in spec/fuzz/NAME.c. What they have
# found to be new is kept and used again: build/fuzz/spec/fuzz/NAME.corpus.
$(fuzz_bin): build/fuzz/%: %.c $(core_src) | need
	@mkdir -p $(@D)
	$(call say,FUZZ  ,$@)clang $(lc_flags) -O1 -g -fsanitize=fuzzer,address,undefined \
	  -fno-sanitize-recover=all -o $@ $< $(core_src) $(lc_libs)

fuzz: $(fuzz_bin)
	@status=0; for f in $(fuzz_bin); do mkdir -p $$f.corpus; \
	  SEEDS=$$f.corpus LIMIT=$$(( $(SECONDS) + 120 )) tools/tally check $$f $$f -max_total_time=$(SECONDS) \
	    -artifact_prefix=$$f. $$f.corpus || status=1; \
	  done; exit $$status

# Random programs over the API, against a model: SECONDS=n SEED=n; any BUILD.
fuzz-api: host
	@SECONDS=$(SECONDS) SEED=$(SEED) LIMIT=$$(( $(SECONDS) + 600 )) TALLY='$(or $(TALLY),build/tally/last)' \
	  tools/tally tests fuzz-api $(lua_exe) tools/fuzz_api.lua $(lacus)

# Everything at once, on more workers than processors, and on one: see tools/soak.lua.
MINUTES ?= 2
soak: host
	@MINUTES=$(MINUTES) LIMIT=86400 TALLY='$(or $(TALLY),build/tally/last)' \
	  tools/tally tests soak $(lua_exe) tools/soak.lua $(lacus)

# ---- installing --------------------------------------------------------------------------

installed := host module lib

install: $(installed:%=install-%)
uninstall: $(installed:%=uninstall-%)

# The command and its manual.
install-host: host
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1
	install -m 755 $(lacus) $(DESTDIR)$(BINDIR)/lacus
	install -m 644 docs/lacus.1 $(DESTDIR)$(MANDIR)/man1/lacus.1
uninstall-host:
	rm -f $(DESTDIR)$(BINDIR)/lacus $(DESTDIR)$(MANDIR)/man1/lacus.1

install-module: module
	install -d $(DESTDIR)$(LUA_CMOD) $(DESTDIR)$(LUA_LMOD)/lacus
	install -m 755 $(module) $(DESTDIR)$(LUA_CMOD)/lacus.so
	for f in $(wildcard lua/lacus/*.lua); do \
	  install -m 644 $$f $(DESTDIR)$(LUA_LMOD)/lacus/ || exit 1; done
uninstall-module:
	rm -f $(DESTDIR)$(LUA_CMOD)/lacus.so
	rm -rf $(DESTDIR)$(LUA_LMOD)/lacus

# With the usual folders lacus.pc finds itself, wherever the tree is moved to.
ifeq ($(LIBDIR)$(INCDIR),$(PREFIX)/lib$(PREFIX)/include)
  pc_folders := -e 's,@LIBDIR@,$${pcfiledir}/..,; s,@INCDIR@,$${pcfiledir}/../../include,'
else
  pc_folders := -e 's,@LIBDIR@,$(LIBDIR),; s,@INCDIR@,$(INCDIR),'
endif

install-lib: lib
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCDIR)
	install -m 644 src/lacus.h $(DESTDIR)$(INCDIR)/lacus.h
	install -m 644 $(archive) $(DESTDIR)$(LIBDIR)/liblacus.a
	install -m 755 $(library) $(DESTDIR)$(LIBDIR)/liblacus.so.$(abi)
	ln -sf liblacus.so.$(abi) $(DESTDIR)$(LIBDIR)/liblacus.so
	sed $(pc_folders) -e 's,@VERSION@,$(version),; s,@LUA@,$(lua_package),' \
	  -e 's,@LUA_FLAGS@,$(if $(lua_package),,$(lua_flags)),; s,@LUA_LINK@,$(LUA_LINK),' \
	  tools/lacus.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/lacus.pc
uninstall-lib:
	rm -f $(DESTDIR)$(INCDIR)/lacus.h $(DESTDIR)$(LIBDIR)/pkgconfig/lacus.pc \
	  $(DESTDIR)$(LIBDIR)/liblacus.a $(DESTDIR)$(LIBDIR)/liblacus.so \
	  $(DESTDIR)$(LIBDIR)/liblacus.so.$(abi)

.PHONY: $(installed:%=install-%) $(installed:%=uninstall-%)

clean:
	rm -rf build dist

# ---- for the tools ---------------------------------------------------------------------------

print-sources:
	@echo $(filter-out $(gen)/%,$(core_src))

help:
	@echo 'make            build/lacus and build/module/lacus.so'
	@echo 'make run        set the machine up, build, run examples/wordcount.lua'
	@echo 'make test       set up, build, run every test      (LIMIT=seconds a part)'
	@echo 'make check      set up; warnings, sanitizers, lint, floors, symbols'
	@echo 'make bench      the benchmarks                     bench-value: C part'
	@echo 'make install    PREFIX=/usr/local DESTDIR=         uninstall'
	@echo 'make amalgamation  dist/lacus.c and dist/lacus.h, the C library in a file'
	@echo 'make clean      removes build/ and dist/'
	@echo
	@echo 'parts of test:  $(test_parts)'
	@echo 'parts of check: $(check_parts)'
	@echo 'make specs-host SPEC=spec/x_spec.lua SPEC_FLAGS="--filter=word"'
	@echo 'make fuzz       SECONDS=seconds a target; needs clang'
	@echo 'make testes     TESTES=folder of Lua'"'"'s own tests (docs/lua-tests.md)'
	@echo 'make fuzz-api   random programs over the API       SECONDS=n SEED=n'
	@echo 'make soak       everything at once, for MINUTES=n'
	@echo 'make oom        failure injection   ROUNDS=n a kind, SEED=n, or OOM=all'
	@echo 'make instructions   counts those of fixed workloads; instructions-write'
	@echo 'make coverage   lines and branches of src/: build/coverage/html'
	@echo 'make memcheck   valgrind over the C tests and some specs; helgrind'
	@echo 'make model      spec/model/ checked by spin      (MODEL=word of a line)'
