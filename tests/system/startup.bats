# Startup files: /etc/my_init.d and /etc/rc.local.
load services

# A script that says its path, and how many arguments it has.
says_name() {
	root_file "$1" 755 <<-'EOF'
	#!/bin/sh
	echo "ran $0 $#"
	EOF
}

# What must not begin when the boot has failed: all of them say "never".
never() {
	root_file /etc/my_init.d/99_never 755 <<<$'#!/bin/sh\necho never'
	root_file /etc/rc.local 755 <<<$'#!/bin/sh\necho never'
	service never <<<$'#!/bin/sh\necho never\nexec sleep 1000'
}

# --- order -------------------------------------------------------------------------
@test "byte order of all names, then rc.local; a path and no arguments" {
	local name names=(.hid 10 9 'B with space' Z a~ a.b _x $'\303\244')
	for name in "${names[@]}"; do
		says_name "/etc/my_init.d/$name"
	done
	says_name /opt/elsewhere
	ln -s /opt/elsewhere "$ROOT/etc/my_init.d/zlink"
	says_name /etc/rc.local
	container_run -- -- echo command
	[ "$status" -eq 0 ]
	{
		printf '%s\n' "${names[@]}" zlink | LC_ALL=C sort |
		    sed 's|.*|ran /etc/my_init.d/& 0|'
		echo "ran /etc/rc.local 0"
		echo command
	} | diff - "$OUTPUT/stdout"
}

@test "one after the other, and all before services and command" {
	startup_script 1 <<-'EOF'
	#!/bin/sh
	sleep 0.3
	echo first
	EOF
	startup_script 2 <<<$'#!/bin/sh\necho second'
	root_file /etc/rc.local 755 <<<$'#!/bin/sh\nsleep 0.3\necho third'
	service s <<<$'#!/bin/sh\necho service up\nexec sleep 1000'
	container_start -- -- sh -c 'echo command up; exec sleep 1000'
	wait_output '^service up'
	wait_output '^command up'
	in_order '^first$' '^second$' '^third$' '^(service|command) up$'
}

@test "what a script leaves in the background lives on" {
	startup_script 1 <<-'EOF'
	#!/bin/sh
	sleep 1001 &
	setsid sleep 1002 &
	EOF
	container_start -- -- sh -c 'echo command up; exec sleep 1000'
	wait_output '^command up'
	wait_for "one" container_exec pgrep -f '^sleep 1001'
	wait_for "the other" container_exec pgrep -f '^sleep 1002'
}

@test "no /etc/my_init.d, or one that is a file: nothing to run, nothing to say" {
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	root_file /etc/my_init.d 755 <<<$'#!/bin/sh\necho never'
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ -z "$stdout$stderr" ]
}

@test "ENV_INIT_DIRECTORY stands in for /etc/my_init.d" {
	says_name /etc/my_init.d/never
	says_name "/opt/my scripts/1"
	says_name /etc/rc.local
	container_run "ENV_INIT_DIRECTORY=/opt/my scripts" -- -- true
	[ "$status" -eq 0 ]
	[ "$stdout" = "ran /opt/my scripts/1 0
ran /etc/rc.local 0" ]
	# It is my_init's own environment that counts, no file.
	variable ENV_INIT_DIRECTORY "/opt/my scripts"
	container_run -- -- true
	[ "$stdout" = "ran /etc/my_init.d/never 0
ran /etc/rc.local 0" ]
}

@test "--skip-startup-files: neither scripts nor rc.local, but the environment" {
	never
	rm -r "$ROOT/etc/service/never"
	variable FROM_FILE this
	container_run -- --skip-startup-files -- sh -c 'echo "$FROM_FILE"'
	[ "$status" -eq 0 ]
	[ "$stdout" = this ]
	[ -e "$ROOT/etc/container_environment.sh" ]
}

# --- what is not run ----------------------------------------------------------------
@test "what is not executable is not run: one warning that says what to do" {
	root_file /etc/my_init.d/10_plain <<<$'#!/bin/sh\necho never'
	root_file /etc/rc.local <<<$'#!/bin/sh\necho never'
	says_name /etc/my_init.d/20_good
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ "$stdout" = "ran /etc/my_init.d/20_good 0" ]
	[ "$(wc -l <"$OUTPUT/stderr")" -eq 2 ]
	[[ $stderr == *"/etc/my_init.d/10_plain "*"chmod +x /etc/my_init.d/10_plain"* ]]
	[[ $stderr == *"/etc/rc.local "*"chmod +x /etc/rc.local"* ]]
}

@test "a dangling link is not run: one warning" {
	mkdir "$ROOT/etc/my_init.d"
	ln -s /no/where "$ROOT/etc/my_init.d/10_dangling"
	says_name /etc/my_init.d/20_good
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ "$stdout" = "ran /etc/my_init.d/20_good 0" ]
	[ "$(wc -l <"$OUTPUT/stderr")" -eq 1 ]
	[[ $stderr == *"/etc/my_init.d/10_dangling "*link* ]]
}

@test "a directory is passed over, and so is what is in it" {
	says_name /etc/my_init.d/10_directory/never
	says_name /etc/my_init.d/20_good
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ "$stdout" = "ran /etc/my_init.d/20_good 0" ]
	[ -z "$stderr" ]
}

@test "a FIFO is not run, nor waited for" {
	mkdir "$ROOT/etc/my_init.d"
	mkfifo -m 777 "$ROOT/etc/my_init.d/10_fifo"
	says_name /etc/my_init.d/20_good
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ "$stdout" = "ran /etc/my_init.d/20_good 0" ]
	[[ $stderr == *"/etc/my_init.d/10_fifo "* ]]
}

# --- what fails ---------------------------------------------------------------------
# The boot ends: exit code $1, and what stderr must match.
boot_fails() {
	container_run -- -- echo never
	[ "$status" -eq "$1" ] || fail "exit code $status, not $1" || return
	[ -z "$stdout" ] || fail "the boot went on" || return
	grep -qxE -e "$2" "$OUTPUT/stderr" || fail "not said: $2"
}

@test "a script that fails ends the boot with its exit code" {
	local code
	never
	for code in 1 7 255; do
		startup_script 10_fail <<<$'#!/bin/sh\nexit '$code
		boot_fails $code '\*\*\* /etc/my_init\.d/10_fail failed with status '$code
	done
}

@test "so does rc.local" {
	never
	rm "$ROOT/etc/my_init.d/99_never"
	root_file /etc/rc.local 755 <<<$'#!/bin/sh\nexit 9'
	boot_fails 9 '\*\*\* /etc/rc\.local failed with status 9'
}

@test "a script that a signal killed: 128 and its number" {
	never
	startup_script 10_fail <<<$'#!/bin/sh\nkill -KILL $$'
	boot_fails 137 '\*\*\* /etc/my_init\.d/10_fail was killed by signal 9 .*'
	startup_script 10_fail <<<$'#!/bin/sh\nkill -SEGV $$'
	boot_fails 139 '\*\*\* /etc/my_init\.d/10_fail was killed by signal 11 .*'
}

@test "a script without #! is said to be one, and ends the boot" {
	never
	startup_script 10_fail <<<'echo never'
	boot_fails 126 '\*\*\* /etc/my_init\.d/10_fail .*#!.*'
}

@test "a script whose interpreter is not there, or has a carriage return" {
	never
	startup_script 10_fail <<<'#!/no/such/shell'
	boot_fails 127 '\*\*\* /etc/my_init\.d/10_fail.*/no/such/shell.*'
	startup_script 10_fail <<<$'#!/bin/sh\r\necho never\r'
	boot_fails 127 '\*\*\* /etc/my_init\.d/10_fail.*carriage return.*'
}

@test "post-shutdown scripts clean up after a failed boot" {
	never
	startup_script 10_fail <<<$'#!/bin/sh\nexit 7'
	root_file /etc/my_init.post_shutdown.d/1 755 <<<$'#!/bin/sh\necho cleaned up'
	container_run -- -- echo never
	[ "$status" -eq 7 ]
	[ "$stdout" = "cleaned up" ]
}

# --- asked to stop ------------------------------------------------------------------
# Stops a boot with signal $1 while a script waits with children of its own.
stop_in_script() {
	local start
	never
	root_file /etc/my_init.d/10_wait 755 <<-'EOF'
	#!/bin/bash
	trap 'echo script stopped; exit 0' TERM
	bash -c 'trap "echo child stopped; exit" TERM
	    echo child up; while :; do sleep 0.02; done' &
	wait
	EOF
	container_start --
	wait_output '^child up'
	start=$(now_ms)
	container_kill "$1"
	container_wait
	took "$start" 0 10000
	[ "$status" -eq 0 ]
	in_order '^\*\*\* An error occurred\. Aborting\.$' \
	    '^\*\*\* Shutting down /etc/my_init\.d/10_wait \(PID [0-9]+\)\.\.\.$' \
	    '^script stopped$' \
	    '^\*\*\* Init system aborted\.$' '^\*\*\* Killing all processes\.\.\.$'
	# Its child was not left to the last sweep.
	in_order '^child stopped$' '^\*\*\* Init system aborted\.$'
	no_output never
}

@test "TERM while a script runs ends it, its process group, and the container" {
	stop_in_script TERM
}

@test "so does INT" {
	stop_in_script INT
}

@test "a boot cut short has not run its command: the exit code says so" {
	startup_script 10_wait <<<$'#!/bin/sh\necho up\nexec sleep 1000'
	container_start -- -- true
	wait_output '^up'
	container_kill TERM
	container_wait
	[ "$status" -eq 143 ]
	no_output 'Running true'
}

@test "a script that ignores TERM is killed after KILL_PROCESS_TIMEOUT" {
	local start
	startup_script 10_stubborn <<-'EOF'
	#!/bin/bash
	trap '' TERM
	echo up
	while :; do sleep 0.1; done
	EOF
	container_start KILL_PROCESS_TIMEOUT=1 --
	wait_output '^up'
	start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 1000 10000
	[ "$status" -eq 0 ]
	wait_lines 1 '^\*\*\* /etc/my_init\.d/10_stubborn \(PID [0-9]+\) did not shut down in time\. Forcing it to exit\.$'
}

@test "a second TERM does not wait for it" {
	local start
	startup_script 10_stubborn <<-'EOF'
	#!/bin/bash
	trap '' TERM
	echo up
	while :; do sleep 0.1; done
	EOF
	container_start --
	wait_output '^up'
	start=$(now_ms)
	container_kill TERM
	wait_output 'Shutting down'
	container_kill TERM
	container_wait
	took "$start" 0 10000
}
