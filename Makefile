# SPDX-License-Identifier: Apache-2.0
# The commands a person types. Everything is built below build/; what is missing on the machine is installed first.

PREFIX ?= /usr/local
WERROR ?= OFF
JOBS   ?= $(shell nproc)

configure = cmake -S . -DGENTCP_WERROR=$(WERROR) $(atomvm)
build     = cmake --build
c_files   = $(shell git ls-files '*.c' '*.h')
# The percentage of long test loops that is run where everything is slow.
SCALE ?= 20
# How many sequences `make differential` runs.
COUNT ?= 1000
# How long `make fuzz` runs each of its targets.
SECONDS ?= 60
# The thread sanitizer of gcc 12 can't start where newer kernels randomize addresses widely.
fixed_addresses = $(shell setarch -R true 2>/dev/null && echo setarch -R)

# An AtomVM, for its host: source tree and build folder.
ATOMVM_SOURCE ?=
ATOMVM_BUILD  ?=
atomvm = $(if $(ATOMVM_SOURCE),-DATOMVM_SOURCE=$(ATOMVM_SOURCE) -DATOMVM_BUILD=$(ATOMVM_BUILD))

.PHONY: help deps build otp run test lint format model check-sanitizers check-asan check-tsan check-otp-asan valgrind \
    differential fuzz conformance coverage bench-servers bench-quick bench bench-all bench-ttest bench-memory sizes \
    test-atomvm bench-atomvm no-atomvm install clean

help:
	@echo 'make run               see it work'
	@echo 'make test              build everything and run every test'
	@echo 'make install           install the C library and the program gentcp below PREFIX ($(PREFIX))'
	@echo 'make lint              formatting and static analysis, of Erlang too'
	@echo 'make format            put the formatting right'
	@echo 'make model             check the protocols between threads exhaustively'
	@echo 'make check-sanitizers  the C tests with address, undefined-behaviour and thread sanitizer'
	@echo 'make differential      COUNT ($(COUNT)) random sequences of calls over OTP and over gentcp, compared'
	@echo 'make check-otp-asan    the OTP tests with address and undefined-behaviour sanitizer'
	@echo 'make valgrind          the C tests under valgrind'
	@echo 'make coverage          check-asan, and which lines of the C side it has run'
	@echo 'make bench-quick       gentcp beside OTP, raw epoll and libuv: the headline, in two minutes'
	@echo 'make bench             all that has a target, in 25 minutes: docs/bench'
	@echo 'make bench-all         every case, for hours; CASE="part of a name" for some of them'
	@echo 'make bench-ttest       OTP'"'"'s own time test of TCP, on inet, OTP'"'"'s socket backend and gentcp'
	@echo 'make bench-memory      what an idle connection costs, with 10,000 of them'
	@echo 'make sizes             what the engine takes on a device, and what leaving parts out saves'
	@echo 'make fuzz              each fuzzer for SECONDS ($(SECONDS)), with sanitizers'
	@echo 'make conformance       OTP'"'"'s own suites of gen_tcp, on inet and on gentcp, side by side'
	@echo 'make test-atomvm       the AtomVM host, on the AtomVM at ATOMVM_SOURCE and ATOMVM_BUILD'
	@echo 'make bench-atomvm      the same, beside AtomVM'"'"'s own sockets'
	@echo 'make deps              install what all of these need (Debian)'
	@echo 'make clean'

deps:
	@tools/deps ci

build:
	@tools/deps build
	$(configure) -B build
	$(build) build -j $(JOBS)

# rebar3 builds the native part too (rebar.config), in build/nif.
otp:
	@tools/deps run
	$(configure) -B build/nif -DGENTCP_TESTS=OFF -DGENTCP_EXAMPLES=OFF
	rebar3 compile

# Builds what it needs itself, quietly.
run:
	@tools/deps run
	@demo/run.sh

test:
	@tools/deps test
	@$(MAKE) --no-print-directory build otp
	test/run build

lint:
	@tools/deps lint
	clang-format --dry-run -Werror $(c_files)
	$(configure) -B build/lint
	@[ -n "$(ATOMVM_SOURCE)" ] || echo 'Left out: hosts/atomvm, which needs ATOMVM_SOURCE and ATOMVM_BUILD'
	echo $(filter-out $(if $(ATOMVM_SOURCE),,hosts/atomvm/%),$(filter %.c,$(c_files))) | \
	    xargs -n 1 -P $(JOBS) clang-tidy -p build/lint --quiet --warnings-as-errors='*'
	cppcheck --project=build/lint/compile_commands.json --enable=warning,style,performance,portability --inline-suppr \
	    --suppressions-list=.cppcheck --error-exitcode=1 --quiet -j $(JOBS)
	rebar3 xref
	tools/dialyze build

format:
	clang-format -i $(c_files)

model:
	@tools/deps test
	model/check

check-sanitizers: check-asan check-tsan

# Counts lines as well: see coverage.
check-asan:
	@tools/deps test
	$(configure) -B build/asan -DCMAKE_BUILD_TYPE=Debug -DGENTCP_SANITIZE=address,undefined -DGENTCP_EXAMPLES=OFF \
	    '-DCMAKE_C_FLAGS=--coverage -fprofile-update=atomic' -DCMAKE_OBJCOPY=
	$(build) build/asan -j $(JOBS)
	find build/asan -name '*.gcda' -delete
	GENTCP_TEST_SCALE=$(SCALE) GENTCP_TEST_TIMEOUT=300 test/run build/asan c

check-tsan:
	@tools/deps test
	$(configure) -B build/tsan -DCMAKE_BUILD_TYPE=Debug -DGENTCP_SANITIZE=thread -DGENTCP_EXAMPLES=OFF
	$(build) build/tsan -j $(JOBS)
	GENTCP_TEST_SCALE=$(SCALE) GENTCP_TEST_TIMEOUT=300 $(fixed_addresses) test/run build/tsan c

differential:
	@tools/deps test
	GENTCP_DIFFERENTIAL=$(COUNT) rebar3 ct --suite test/otp/gentcp_differential_SUITE --case random_sequences

check-otp-asan:
	@tools/deps test
	WERROR=$(WERROR) test/otp/run_asan build/otp-asan

# The same programs that everything else is tested with.
valgrind:
	@tools/deps valgrind
	@$(MAKE) --no-print-directory build
	GENTCP_TEST_LAUNCHER='valgrind --quiet --suppressions=$(CURDIR)/test/valgrind.supp --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=99' \
	    GENTCP_TEST_SCALE=2 GENTCP_TEST_TIMEOUT=300 test/run build c

# Lines of the C side that its own tests run; less than 95 % of the engine, or of all, is an error. The comparison with
# erlang:decode_packet/3 is what tests the framing. A program may end while a thread of its looks up a name: what that
# thread began and didn't end makes gcov count some branch below zero, which gcovr takes for an error in the file.
coverage: check-asan
	@tools/deps coverage
	test/decode_packet_test.sh build/asan
	gcovr --root . --gcov-ignore-parse-errors --filter sys/ --filter pollers/ --filter engine/ --filter hosts/c/ \
	    --json build/asan/coverage.json \
	    build/asan/CMakeFiles/gentcp_*.dir build/asan/CMakeFiles/fuzz_engine.dir
	gcovr --root . --add-tracefile build/asan/coverage.json --fail-under-line 95
	gcovr --root . --add-tracefile build/asan/coverage.json --filter engine/ --fail-under-line 95 -o build/asan/engine.txt
	@sed -n 's/^TOTAL/engine alone:/p' build/asan/engine.txt

fuzz:
	@tools/deps fuzz
	$(configure) -B build/fuzzers -DCMAKE_C_COMPILER=clang -DGENTCP_FUZZ=ON -DGENTCP_EXAMPLES=OFF \
	    -DGENTCP_SANITIZE=fuzzer-no-link,address,undefined
	$(build) build/fuzzers -j $(JOBS) -t fuzz_framing -t fuzz_http -t fuzz_options -t fuzz_socket
	fuzz/run build/fuzzers $(SECONDS)

bench-servers:
	@tools/deps bench
	$(configure) -B build -DCMAKE_BUILD_TYPE=RelWithDebInfo
	$(build) build -j $(JOBS) -t bench_servers -t gentcp_tool
	rebar3 compile
	erlc -o build/bench bench/bench_server.erl

bench-quick: bench-servers
	bench/run --quick

bench: bench-servers
	bench/run --table --docs docs/bench

bench-all: bench-servers
	bench/run $(if $(CASE),--case '$(CASE)')

bench-ttest: otp
	@tools/deps conformance
	bench/ttest build/bench/ttest 9

# The driver in the VM it is for, and in its smallest configuration (docs/configuration.md); with
# ATOMVM_SANITIZE=address, in one that was built so, too.
test-atomvm: $(if $(and $(ATOMVM_SOURCE),$(ATOMVM_BUILD)),,no-atomvm)
	@tools/deps atomvm
	$(configure) -B build/atomvm -DGENTCP_SANITIZE=$(ATOMVM_SANITIZE)
	$(build) build/atomvm -j $(JOBS) -t gentcp_atomvm
	$(configure) -B build/atomvm-smallest -DGENTCP_SANITIZE=$(ATOMVM_SANITIZE) -DGENTCP_SMALLEST=ON
	$(build) build/atomvm-smallest -j $(JOBS) -t gentcp_atomvm
	test/atomvm/run build/atomvm $(ATOMVM_SOURCE) $(ATOMVM_BUILD)
	test/atomvm/run build/atomvm-smallest $(ATOMVM_SOURCE) $(ATOMVM_BUILD) smallest

bench-atomvm: $(if $(and $(ATOMVM_SOURCE),$(ATOMVM_BUILD)),,no-atomvm)
	@tools/deps atomvm
	$(configure) -B build/atomvm -DGENTCP_SANITIZE=
	$(build) build/atomvm -j $(JOBS) -t gentcp_atomvm -t gentcp_tool
	test/atomvm/bench build/atomvm $(ATOMVM_SOURCE) $(ATOMVM_BUILD)

no-atomvm:
	@echo 'make: say where AtomVM is: ATOMVM_SOURCE=its source tree ATOMVM_BUILD=where it was built (docs/atomvm.md)'
	@false

conformance:
	@tools/deps conformance
	@$(MAKE) --no-print-directory otp
	test/conformance/run build/conformance

bench-memory:
	@tools/deps build
	$(configure) -B build
	$(build) build -j $(JOBS) -t idle_memory
	GENTCP_POLLER=epoll build/bench/idle_memory

sizes:
	@tools/deps build
	@bench/sizes

install:
	@tools/deps build
	cmake -S . -B build/install -DCMAKE_BUILD_TYPE=Release -DGENTCP_TESTS=OFF -DGENTCP_EXAMPLES=OFF -DGENTCP_TOOL=ON \
	    -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	$(build) build/install -j $(JOBS)
	DESTDIR=$(DESTDIR) cmake --install build/install
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean:
	rm -rf build _build priv/*.so
