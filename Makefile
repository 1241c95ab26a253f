# my_init, its supervisor, and their tests.  See README.md.
#
#   make                 build everything under $(BUILD)
#   make install         into $(DESTDIR)
#   make demo            show it at work, without a container engine
#   make test            install what the tests need, and run them
#   make bench           measure it beside other inits
#   make fuzz            throw random bytes at what decodes, a minute each
#   make image           build the image (ENGINE, BASE_IMAGE, BUILD_OPTIONS);
#                        make build NAME=joe/baseimage gives it another name
#   make test-image      test it in a container engine
#   make lint            check which folder includes and links what
#   make STATIC=1        link the supervisor with libc statically, too (the linker's
#                        warnings are about functions that are not called)
#   make SANITIZE=1      with AddressSanitizer and UBSan (supervisor, unit tests)

VERSION	= 0.1.0
BUILD	= build
DESTDIR	=
FUZZ_SECONDS = 60
SBINDIR	= /sbin
BINDIR	= /usr/bin
LIBDIR	= /usr/lib/my_init
MANDIR	= /usr/share/man
COMPLETIONDIR = /usr/share/bash-completion/completions

CC	= gcc
# PID 1 is static, and smallest with musl: 20 KiB resident where glibc has 700.
# musl-gcc knows no -static-pie, so its start file and two flags are named here.
INIT_CC	= $(CC)
INIT_LINK = -static-pie
ifeq ($(findstring clang,$(CC)),)
ifneq ($(shell command -v musl-gcc),)
INIT_CC	= musl-gcc
MUSL	= /usr/lib/$(shell uname -m)-linux-musl
INIT_LINK = -static -nostartfiles -Wl,-pie -Wl,--no-dynamic-linker \
	$(MUSL)/rcrt1.o $(MUSL)/crti.o $(MUSL)/crtn.o
endif
endif

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Werror
# A flag if the compiler has it: clang before 16 wants another beside the third.
has	= $(shell printf 'int x;' | $(CC) -Werror $(1) -xc -c -o /dev/null - 2>&1 \
	>/dev/null | grep -q . || printf '%s' '$(1)')
HARDENING := -fstack-protector-strong -fstack-clash-protection \
	$(call has,-ftrivial-auto-var-init=zero) -fcf-protection
FORTIFY	= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
OPTIMIZE = -O2 -g
CPPFLAGS = -D_GNU_SOURCE -I. -Isupervisor
CFLAGS	= -std=gnu17 $(OPTIMIZE) $(WARNINGS) $(HARDENING) \
	-ffile-prefix-map=$(CURDIR)=.
PATHS	= -DSUPERVISOR_PATH='"$(LIBDIR)/supervisor"' \
	-DGATE_PATH='"$(LIBDIR)/gate"' \
	-DCOLLECTOR_PATH='"$(LIBDIR)/collector"' -DEMPTY_DIRECTORY='"$(LIBDIR)/empty"'
RELRO	= -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed

ifeq ($(shell uname -m),aarch64)
HARDENING := $(filter-out -fcf-protection,$(HARDENING)) \
	-mbranch-protection=standard
endif

# The gate and initctl: static like PID 1, and for the same reasons.  msgpack-c's
# object files ask libc for memory and no more, so they go with musl, too; what
# musl has no headers of (the kernel's, msgpack's) comes from after its own.
SMALL_LINK = $(INIT_LINK) $(RELRO)
SMALL_CFLAGS = $(if $(MUSL),-idirafter /usr/include \
	-idirafter /usr/include/$(shell uname -m)-linux-gnu)
# It is called msgpack-c since its version 6.
MSGPACK	= $(firstword $(wildcard $(foreach name,msgpackc msgpack-c, \
	$(shell $(CC) -print-file-name=lib$(name).a))))

# The supervisor, and what is linked with it: libc alone is looked for when it starts.
# That takes a fifth of memory and a tenth of time off, and whatever is done to a
# container's packages, a supervisor that is killed can be started again.
SUPERVISOR_LINK = -pie $(RELRO)
SUPERVISOR_LIBS = -Wl,-Bstatic -levent_core -ljson-c -Wl,-Bdynamic
ifdef STATIC
BUILD	= build-static
SUPERVISOR_LINK = -static-pie $(RELRO)
SUPERVISOR_LIBS = -levent_core -ljson-c
endif
ifdef SANITIZE
BUILD	= build-sanitize
FORTIFY	=
OPTIMIZE = -O1 -g -fno-omit-frame-pointer
SANITIZER = -fsanitize=address,undefined -fno-sanitize-recover=all
endif

INIT_OBJECTS = $(addprefix $(BUILD)/, initd/initd.o initd/channel.o \
	initd/kernel.o initd/sweep.o)
SUPERVISOR_OBJECTS = $(addprefix $(BUILD)/supervisor/, boot.o claim.o command.o \
	control.o depend.o directory.o dump.o ending.o environment.o explain.o \
	files.o fsm.o gatekeeper.o group.o hook.o index.o key.o lines.o log.o \
	logger.o main.o notify.o options.o order.o other.o probe.o reap.o \
	reason.o run.o runit.o scan.o script.o service.o setting.o shutdown.o signal.o \
	spawn.o supervise.o table.o task.o variables.o want.o watchdog.o word.o)
PROTO_OBJECTS = $(addprefix $(BUILD)/proto/, escape.o names.o settings.o \
	values.o)
SMALL_PROTO_OBJECTS = $(addprefix $(BUILD)/small/proto/, escape.o names.o rpc.o)
GATE_OBJECTS = $(addprefix $(BUILD)/small/supervisor/gate/, client.o gate.o \
	lines.o operation.o outcome.o sandbox.o subscription.o translate.o view.o \
	wait.o)
COLLECTOR_OBJECTS = $(addprefix $(BUILD)/small/supervisor/collector/, \
	channel.o collector.o format.o output.o)
CLIENT_OBJECTS = $(addprefix $(BUILD)/small/ctl/, check.o client.o command.o \
	directory.o follow.o graph.o initctl.o json.o logs.o order.o print.o report.o show.o sv.o sv_service.o value.o) \
	$(BUILD)/small/proto/settings.o $(BUILD)/small/proto/values.o
SETUSER_OBJECTS = $(BUILD)/ctl/setuser.o $(BUILD)/proto/escape.o
PROGRAMS = $(BUILD)/my_init $(BUILD)/supervisor.bin $(BUILD)/gate \
	$(BUILD)/collector \
	$(BUILD)/initctl $(BUILD)/setuser

all: $(PROGRAMS)

$(BUILD)/my_init: $(INIT_OBJECTS)
	$(INIT_CC) $(CFLAGS) -o $@ $(INIT_OBJECTS) $(INIT_LINK) $(RELRO)

$(BUILD)/supervisor.bin: $(SUPERVISOR_OBJECTS) $(PROTO_OBJECTS)
	$(CC) $(CFLAGS) $(SANITIZER) $(SUPERVISOR_LINK) -o $@ \
	    $(SUPERVISOR_OBJECTS) $(PROTO_OBJECTS) $(SUPERVISOR_LIBS)

$(BUILD)/gate: $(GATE_OBJECTS) $(SMALL_PROTO_OBJECTS)
	$(INIT_CC) $(CFLAGS) -o $@ $^ $(MSGPACK) $(SMALL_LINK)

$(BUILD)/collector: $(COLLECTOR_OBJECTS) $(BUILD)/small/proto/escape.o
	$(INIT_CC) $(CFLAGS) -o $@ $^ $(SMALL_LINK)

$(BUILD)/initctl: $(CLIENT_OBJECTS) $(SMALL_PROTO_OBJECTS)
	$(INIT_CC) $(CFLAGS) -o $@ $^ $(MSGPACK) $(SMALL_LINK)

# Never static: who a user is, glibc asks the libraries of nsswitch.conf.
$(BUILD)/setuser: $(SETUSER_OBJECTS)
	$(CC) $(CFLAGS) $(SANITIZER) -o $@ $^ -pie $(RELRO)

$(BUILD)/small/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(INIT_CC) $(CPPFLAGS) $(PATHS) -DVERSION='"$(VERSION)"' $(CFLAGS) \
	    $(SMALL_CFLAGS) -fPIE -MMD -c -o $@ $<

# musl has no fortified functions, and its stack protector works.
$(BUILD)/initd/%.o: initd/%.c Makefile
	@mkdir -p $(@D)
	$(INIT_CC) $(CPPFLAGS) $(PATHS) $(CFLAGS) -fPIE -MMD -c -o $@ $<

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(FORTIFY) $(PATHS) -DVERSION='"$(VERSION)"' $(CFLAGS) \
	    $(SANITIZER) -fPIE -MMD -c -o $@ $<

# --- unit tests: the file under test, and what it cannot do without ------------
UNIT_TESTS = $(addprefix $(BUILD)/tests/unit/, test_answer test_channel test_dump \
	test_environment test_explain test_format test_fsm test_log test_request test_rpc \
	test_sandbox test_settings test_table test_view)

$(BUILD)/tests/unit/test_channel: $(BUILD)/supervisor/collector/channel.o \
	$(PROTO_OBJECTS)
FAKE_LOG = $(BUILD)/tests/unit/fake_log.o $(PROTO_OBJECTS)
DIRECTORY = $(BUILD)/tests/unit/directory.o
$(BUILD)/tests/unit/test_dump: $(addprefix $(BUILD)/supervisor/, dump.o \
	environment.o) $(DIRECTORY) $(FAKE_LOG)
$(BUILD)/tests/unit/test_environment: $(BUILD)/supervisor/environment.o \
	$(DIRECTORY) $(FAKE_LOG)
$(BUILD)/tests/unit/test_explain: $(BUILD)/supervisor/explain.o $(DIRECTORY) $(FAKE_LOG)
$(BUILD)/tests/unit/test_format: $(BUILD)/supervisor/collector/format.o \
	$(PROTO_OBJECTS)
$(BUILD)/tests/unit/test_fsm: $(BUILD)/supervisor/fsm.o
$(BUILD)/tests/unit/test_log: $(BUILD)/supervisor/log.o $(PROTO_OBJECTS)
$(BUILD)/tests/unit/test_settings: $(DIRECTORY) $(PROTO_OBJECTS)
$(BUILD)/tests/unit/test_table: $(BUILD)/supervisor/table.o $(FAKE_LOG)

$(BUILD)/tests/unit/test_sandbox: $(BUILD)/supervisor/gate/sandbox.o
$(BUILD)/tests/unit/test_rpc: $(BUILD)/proto/rpc.o $(MSGPACK)
$(BUILD)/tests/unit/test_answer $(BUILD)/tests/unit/test_request: \
	$(BUILD)/tests/unit/message.o $(BUILD)/supervisor/gate/translate.o \
	$(BUILD)/proto/rpc.o $(PROTO_OBJECTS) $(MSGPACK)
$(BUILD)/tests/unit/test_view: $(addprefix $(BUILD)/supervisor/gate/, view.o \
	translate.o) $(BUILD)/proto/rpc.o $(PROTO_OBJECTS) $(MSGPACK)

$(UNIT_TESTS): %: %.o
	$(CC) $(CFLAGS) $(SANITIZER) -pie -o $@ $^ -lcmocka -ljson-c

# An environment is made of string literals there, and nobody writes to it.
# What a row of a table leaves out is 0.
$(BUILD)/tests/unit/%.o: WARNINGS += -Wno-write-strings \
	-Wno-missing-field-initializers

unit-tests: $(UNIT_TESTS)

# --- fuzzing: what decodes, and a libFuzzer target around it ---------------------
# gcc has no libFuzzer.  Variables are not initialized here, so that one that is
# used too early does not look like 0.
FUZZ_CC	= clang
FUZZ_SANITIZER = -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS = $(filter-out -ftrivial-auto-var-init=%,$(CFLAGS)) \
	-fno-omit-frame-pointer
FUZZ_TARGETS = $(addprefix $(BUILD)/fuzz/fuzz_, request gate reply)
FUZZ_OBJECTS = $(BUILD)/fuzz/objects

$(FUZZ_OBJECTS)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CPPFLAGS) $(PATHS) -DVERSION='"$(VERSION)"' \
	    $(FUZZ_CFLAGS) $(FUZZ_SANITIZER) -MMD -c -o $@ $<

FUZZ_COMMON = $(addprefix $(FUZZ_OBJECTS)/, tests/fuzz/check.o proto/rpc.o \
	proto/names.o proto/escape.o)
# The branches of the targets' own checks are not what inputs are looked for.
$(FUZZ_OBJECTS)/tests/fuzz/check.o: FUZZ_SANITIZER = -fsanitize=address,undefined
# Called for many beginnings of an input; to note all it compares takes the time.
$(FUZZ_OBJECTS)/proto/rpc.o: FUZZ_SANITIZER += -fno-sanitize-coverage=trace-cmp
$(BUILD)/fuzz/fuzz_request: $(FUZZ_OBJECTS)/supervisor/gate/translate.o
$(BUILD)/fuzz/fuzz_gate: $(FUZZ_OBJECTS)/supervisor/control.o
$(BUILD)/fuzz/fuzz_reply: $(addprefix $(FUZZ_OBJECTS)/ctl/, client.o follow.o json.o \
	logs.o print.o report.o sv_service.o)
$(BUILD)/fuzz/fuzz_reply: FUZZ_LINK = -Wl,--wrap=client_call

$(FUZZ_TARGETS): $(BUILD)/fuzz/%: $(FUZZ_OBJECTS)/tests/fuzz/%.o $(FUZZ_COMMON)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_SANITIZER) $(FUZZ_LINK) -o $@ $^ \
	    -Wl,--as-needed $(MSGPACK) -levent_core -ljson-c

fuzz-targets: $(FUZZ_TARGETS)

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) \
	    $(DESTDIR)$(LIBDIR) $(DESTDIR)$(LIBDIR)/empty \
	    $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 \
	    $(DESTDIR)$(COMPLETIONDIR)
	install -m 755 $(BUILD)/my_init $(DESTDIR)$(SBINDIR)/my_init
	install -m 755 $(BUILD)/supervisor.bin $(DESTDIR)$(LIBDIR)/supervisor
	install -m 755 $(BUILD)/gate $(DESTDIR)$(LIBDIR)/gate
	install -m 755 $(BUILD)/collector $(DESTDIR)$(LIBDIR)/collector
	install -m 755 $(BUILD)/initctl $(DESTDIR)$(SBINDIR)/initctl
	ln -sf $(SBINDIR)/initctl $(DESTDIR)$(BINDIR)/sv
	install -m 755 $(BUILD)/setuser $(DESTDIR)$(SBINDIR)/setuser
	install -m 755 ctl/install_clean $(DESTDIR)$(SBINDIR)/install_clean
	install -m 644 initd/my_init.8 ctl/initctl.8 ctl/sv.8 ctl/setuser.8 \
	    ctl/install_clean.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 supervisor/service.7 $(DESTDIR)$(MANDIR)/man7/
	install -m 644 ctl/initctl.bash $(DESTDIR)$(COMPLETIONDIR)/initctl
	ln -sf initctl $(DESTDIR)$(COMPLETIONDIR)/sv

# The jobs a newcomer starts with install what they need first, so they run make
# again: what is missing now is not missing then.
demo:
	./packages demo
	$(MAKE) install DESTDIR=$(CURDIR)/$(BUILD)/stage
	./demo.sh $(CURDIR)/$(BUILD)/stage

test:
	./packages test
	$(MAKE) all unit-tests lint
	$(MAKE) install DESTDIR=$(CURDIR)/$(BUILD)/stage
	BUILD=$(BUILD) MY_INIT_STAGE=$(CURDIR)/$(BUILD)/stage tests/run $(TESTS)

bench:
	./packages bench
	$(MAKE) install DESTDIR=$(CURDIR)/$(BUILD)/stage
	BUILD=$(BUILD) MY_INIT_STAGE=$(CURDIR)/$(BUILD)/stage tests/bench/run
	./packages image
	BUILD=$(BUILD) tests/image/run --with tests/bench/image

fuzz:
	./packages fuzz
	$(MAKE) fuzz-targets
	BUILD=$(BUILD) tests/fuzz/run $(FUZZ_SECONDS)

# --- the image ----------------------------------------------------------------------
NAME	= my_init/baseimage
BASE_IMAGE = ubuntu:24.04
ENGINE	= docker
BUILD_OPTIONS =
DISABLED = $(foreach part,SSH CRON SYSLOG TOOLS,$(if $(DISABLE_$(part)), \
	--build-arg DISABLE_$(part)=$(DISABLE_$(part))))

# The base is fetched by itself: BuildKit would keep it where it is not seen, and its
# size could not be told.
image build:
	@$(ENGINE) image inspect $(BASE_IMAGE) >/dev/null 2>&1 || \
	    $(ENGINE) pull $(BASE_IMAGE)
	$(ENGINE) build $(BUILD_OPTIONS) --build-arg BASE_IMAGE=$(BASE_IMAGE) \
	    --build-arg VERSION=$(VERSION) $(DISABLED) \
	    -t $(NAME):$(VERSION) -t $(NAME):latest .
	@size() { $(ENGINE) image inspect --format '{{.Size}}' $$1; }; \
	base=$$(size $(BASE_IMAGE)) && image=$$(size $(NAME)) && \
	echo "$(NAME): $$((image / 1024)) KiB," \
	    "adds $$(((image - base) / 1024)) KiB to $(BASE_IMAGE)"

test-image:
	./packages image
	tests/image/run $(TESTS)

lint:
	tests/lint $(BUILD)

clean:
	rm -rf build build-sanitize build-static $(BUILD)

-include $(INIT_OBJECTS:.o=.d) $(SUPERVISOR_OBJECTS:.o=.d) \
	$(GATE_OBJECTS:.o=.d) $(COLLECTOR_OBJECTS:.o=.d) $(CLIENT_OBJECTS:.o=.d) $(SETUSER_OBJECTS:.o=.d) \
	$(SMALL_PROTO_OBJECTS:.o=.d) $(PROTO_OBJECTS:.o=.d) \
	$(wildcard $(FUZZ_OBJECTS)/*/*.d $(FUZZ_OBJECTS)/*/*/*.d) $(UNIT_TESTS:=.d)

.PHONY: all install unit-tests fuzz-targets demo test bench fuzz image build \
	test-image lint clean
.DELETE_ON_ERROR:
