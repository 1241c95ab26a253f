# /etc/container_environment, and its dumps .sh and .json.
load services

ENVIRONMENT=/etc/container_environment

# "WHO VALUE" for each variable named, from wherever it is run.
setup() {
	container_setup
	root_file /opt/tell 755 <<-'EOF'
	#!/bin/bash
	who=$1
	shift
	for name; do
		if [ -v "$name" ]; then
			echo "$who $name=${!name}"
		else
			echo "$who has no $name"
		fi
	done
	EOF
}

# The value of $1 in a file of NAME=VALUE\0, byte by byte, and a full stop.
value_in() {
	tr '\0\n' '\n\0' <"$2" | sed -n "s/^$1=//p" | tr '\0\n' '\n\0' |
	    tr -d '\0'
	printf .
}

# The value of $1 in the .json dump, as Python shows it.
json() {
	python3 - "$ROOT$ENVIRONMENT.json" "$1" <<-'EOF'
	import json, sys
	with open(sys.argv[1]) as file:
	    print(ascii(json.load(file).get(sys.argv[2])))
	EOF
}

# What sourcing the .sh in shell $1 gives, to file $2.
source_in() {
	env -i PATH=$CONTAINER_PATH "$1" -c ". '$ROOT$ENVIRONMENT.sh'
	    exec env -0" >"$2" 2>"$2.errors"
	cat "$2.errors"
	[ ! -s "$2.errors" ]
}

mode_and_owner() {
	stat -c '%a %u:%g' "$1"
}

@test "docker's variable wins over the file's, everywhere" {
	variable FOO file
	variable BAR file
	startup_script 1 <<<$'#!/bin/sh\nexec /opt/tell script FOO BAR'
	service s <<<$'#!/bin/sh\n/opt/tell service FOO BAR\nexec sleep 1000'
	container_start FOO=docker -- \
	    -- sh -c '/opt/tell command FOO BAR; exec sleep 1000'
	local who
	for who in script service command; do
		wait_output "^$who FOO=docker\$"
		wait_output "^$who BAR=file\$"
	done
	container_kill TERM
	container_wait
	[ "$(cat "$ROOT$ENVIRONMENT/FOO")" = docker ]
	grep -qx 'export FOO=docker' "$ROOT$ENVIRONMENT.sh"
	[ "$(json FOO)" = "'docker'" ]
	[ "$(json BAR)" = "'file'" ]
}

@test "what a script changes, deletes and creates, all that come later see" {
	variable FOO old
	variable BAR old
	startup_script 01 <<-EOF
	#!/bin/sh
	printf new >$ENVIRONMENT/FOO
	rm $ENVIRONMENT/BAR
	echo created >$ENVIRONMENT/NEW
	export EXPORTED=1
	EOF
	startup_script 02 <<-EOF
	#!/bin/sh
	/opt/tell script FOO BAR NEW EXPORTED
	cp $ENVIRONMENT.sh $ENVIRONMENT.json /tmp/
	EOF
	root_file /etc/rc.local 755 <<<$'#!/bin/sh
	printf late >/etc/container_environment/LATE'
	service s <<-'EOF'
	#!/bin/sh
	/opt/tell service FOO BAR NEW EXPORTED LATE
	exec sleep 1000
	EOF
	container_start -- \
	    -- sh -c '/opt/tell command FOO BAR NEW EXPORTED LATE; exec sleep 1000'
	local who
	for who in script service command; do
		wait_output "^$who FOO=new\$"
		wait_output "^$who has no BAR\$"
		wait_output "^$who NEW=created\$"
		wait_output "^$who has no EXPORTED\$"
	done
	wait_output '^service LATE=late$'
	wait_output '^command LATE=late$'
	container_kill TERM
	container_wait
	local dump
	for dump in "$ROOT$ENVIRONMENT.sh" "$ROOT/tmp/container_environment.sh"; do
		grep -qx 'export FOO=new' "$dump"
		grep -qx 'export NEW=created' "$dump"
		if grep -q BAR "$dump"; then
			fail "BAR is still in $dump"
		fi
	done
	[ "$(json FOO) $(json BAR) $(json NEW) $(json LATE)" = \
	    "'new' None 'created' 'late'" ]
}

@test "a variable that docker gave is gone when a script deletes its file" {
	startup_script 1 <<<$'#!/bin/sh\nrm /etc/container_environment/FOO'
	container_run FOO=docker -- --quiet -- /opt/tell command FOO
	[ "$stdout" = "command has no FOO" ]
}

@test "HOME, USER, SHELL... survive re-imports and are not written to the directory" {
	local name
	startup_script 1 <<<$'#!/bin/sh\nexit 0'
	root_file /etc/rc.local 755 <<<$'#!/bin/sh\nexit 0'
	container_run HOME=/home/joe USER=joe GROUP=staff UID=1 GID=2 \
	    SHELL=/bin/zsh PLAIN=1 -- --quiet -- env
	[ "$status" -eq 0 ]
	for name in HOME=/home/joe USER=joe GROUP=staff UID=1 GID=2 \
	    SHELL=/bin/zsh PLAIN=1; do
		grep -qx "$name" "$OUTPUT/stdout"
	done
	for name in HOME USER GROUP UID GID SHELL; do
		[ ! -e "$ROOT$ENVIRONMENT/$name" ]
		if grep "export $name=" "$ROOT$ENVIRONMENT.sh"; then
			fail "$name has been written"
		fi
	done
	[ -e "$ROOT$ENVIRONMENT/PLAIN" ]
}

@test "nothing is added to what docker gave" {
	container_run A=1 -- --quiet -- env
	[ "$(sort "$OUTPUT/stdout")" = "A=1
HOME=/root
PATH=$CONTAINER_PATH" ]
}

@test "PATH as the scripts have left it finds the command" {
	root_file /opt/tools/tool 755 <<<$'#!/bin/sh\necho found'
	startup_script 1 <<<$'#!/bin/sh\nprintf /opt/tools:/bin >/etc/container_environment/PATH'
	container_run -- --quiet -- tool
	[ "$status" -eq 0 ]
	[ "$stdout" = found ]
}

@test "HOME from a file, if docker gave none" {
	variable USER filed
	startup_script 1 <<<$'#!/bin/sh\n/opt/tell script USER'
	container_run -- --quiet -- /opt/tell command USER
	[ "$stdout" = $'script USER=filed\ncommand USER=filed' ]
}

@test "HOME from a file wins over docker's after a script, as everything does" {
	variable HOME /filed
	startup_script 1 <<<$'#!/bin/sh\n/opt/tell script HOME'
	container_run HOME=/given -- --quiet -- /opt/tell command HOME
	[ "$stdout" = $'script HOME=/given\ncommand HOME=/filed' ]
}

# Files with every kind of value; V_N's is what `printf "$2"` prints.
values=(
	V_SPACES '  two  words '
	V_QUOTES "it's \\042quoted\\042"
	V_DOLLAR '$HOME ${x} $(touch /tmp/injected)'
	V_BACKTICK '`touch /tmp/injected`'
	V_LINES 'one\ntwo\n\nfour'
	V_NEWLINES 'two at the end\n\n'
	V_BACKSLASH 'a\\\\b\\\\n'
	V_UTF8 '\303\251\342\202\254\360\237\220\263'
	V_INVALID 'a\377b'
	V_CONTROL 'a\001\033[1m\tb'
	V_CR 'a\r'
	V_EMPTY ''
	V_GLOB '*?[a-z]~!#;&|<>()%%'
	V_LAST_QUOTE "'"
)

@test "values of every kind reach the command byte by byte, with and without a script" {
	local i name with expected
	for with in no yes; do
		[ $with = no ] || startup_script 1 <<<$'#!/bin/sh\nexit 0'
		for ((i = 0; i < ${#values[@]}; i += 2)); do
			printf "${values[i + 1]}" \
			    >"$ROOT$ENVIRONMENT/${values[i]}"
		done
		container_run GIVEN=$'from docker\n' -- --quiet -- env -0
		[ "$status" -eq 0 ]
		[ ! -s "$OUTPUT/stderr" ]
		for ((i = 0; i < ${#values[@]}; i += 2)); do
			name=${values[i]}
			expected=$(printf "${values[i + 1]}"; printf .)
			# One newline at the very end is the file's.
			expected=${expected/%$'\n.'/.}
			[ "$(value_in "$name" "$OUTPUT/stdout")" = "$expected" ] ||
				fail "$name, with a script: $with"
		done
		[ "$(value_in GIVEN "$OUTPUT/stdout")" = $'from docker\n.' ]
	done
}

@test "the .sh gives the same values in sh, dash and bash, silently" {
	local i shell name
	for ((i = 0; i < ${#values[@]}; i += 2)); do
		printf "${values[i + 1]}" >"$ROOT$ENVIRONMENT/${values[i]}"
	done
	variable a.b-c dotted
	variable 1x digit
	variable 'with space' space
	variable $'l\303\244nge' umlaut
	container_run 'BASH_FUNC_x%%=() { :; }' GIVEN=$'from docker\n' \
	    -- --quiet -- env -0
	[ "$status" -eq 0 ]
	cp "$OUTPUT/stdout" "$BATS_TEST_TMPDIR/command"
	for shell in sh dash bash; do
		source_in $shell "$BATS_TEST_TMPDIR/$shell"
		for name in V_{SPACES,QUOTES,DOLLAR,BACKTICK,LINES,NEWLINES} \
		    V_{BACKSLASH,UTF8,INVALID,CONTROL,CR,EMPTY,GLOB} \
		    V_LAST_QUOTE GIVEN; do
			[ "$(value_in $name "$BATS_TEST_TMPDIR/$shell")" = \
			    "$(value_in $name "$BATS_TEST_TMPDIR/command")" ] ||
				fail "$name in $shell"
		done
		[ "$(value_in a_b_c "$BATS_TEST_TMPDIR/$shell")" = dotted. ]
	done
	for shell in dash bash; do
		# But for what each shell sets by itself.
		cmp <(tr '\0\n' '\n\0' <"$BATS_TEST_TMPDIR/sh" |
		    grep -avE '^(PWD|OLDPWD|SHLVL|_)=' | LC_ALL=C sort) \
		    <(tr '\0\n' '\n\0' <"$BATS_TEST_TMPDIR/$shell" |
		    grep -avE '^(PWD|OLDPWD|SHLVL|_)=' | LC_ALL=C sort)
	done
	[ ! -e /tmp/injected ]
	[ ! -e "$ROOT/tmp/injected" ]
}

@test "the .json is JSON with the same values, U+FFFD for what is not UTF-8" {
	local i
	for ((i = 0; i < ${#values[@]}; i += 2)); do
		printf "${values[i + 1]}" >"$ROOT$ENVIRONMENT/${values[i]}"
	done
	variable a.b-c dotted
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ "$(json V_INVALID)" = "'a\\ufffdb'" ]
	[ "$(json V_UTF8)" = "'\\xe9\\u20ac\\U0001f433'" ]
	[ "$(json V_LINES)" = "'one\\ntwo\\n\\nfour'" ]
	[ "$(json V_NEWLINES)" = "'two at the end\\n'" ]
	[ "$(json V_CONTROL)" = "'a\\x01\\x1b[1m\\tb'" ]
	[ "$(json V_BACKSLASH)" = \''a\\\\b\\\\n'\' ]
	[ "$(json V_EMPTY)" = "''" ]
	[ "$(json a.b-c)" = "'dotted'" ]
	[ "$(json HOME)" = "'/root'" ]
}

@test "names that no shell knows reach the command as they are" {
	variable a.b-c dotted
	variable 1x digit
	variable .hidden dot
	container_run -- --quiet -- env
	grep -qx 'a\.b-c=dotted' "$OUTPUT/stdout"
	grep -qx '1x=digit' "$OUTPUT/stdout"
	grep -qx '\.hidden=dot' "$OUTPUT/stdout"
	[ ! -s "$OUTPUT/stderr" ]
}

# Boots with a bad entry in the directory, or a bad variable: a warning names it, and
# the rest goes on.
warned_of() {
	local name=$1
	variable BEFORE 1
	variable zAFTER 2
	startup_script 1 <<<$'#!/bin/sh\n/opt/tell script BEFORE zAFTER'
	shift
	container_run "$@" -- -- sh -c '/opt/tell command BEFORE zAFTER; exit 9'
	[ "$status" -eq 9 ]
	grep -a '^\*\*\* ' "$OUTPUT/stderr" | grep -qaF -e "$name" ||
		fail "no warning names $name"
	[ "$stdout" = "script BEFORE=1
script zAFTER=2
command BEFORE=1
command zAFTER=2" ]
	grep -qx 'export zAFTER=2' "$ROOT$ENVIRONMENT.sh"
	[ "$(json zAFTER)" = "'2'" ]
}

@test "a bad entry: a sub-directory" {
	mkdir "$ROOT$ENVIRONMENT/lost+found"
	warned_of lost+found
}

@test "a bad entry: an unreadable file" {
	variable SECRET x
	chmod 000 "$ROOT$ENVIRONMENT/SECRET"
	# Even root cannot read it, without capabilities.
	warned_of SECRET --no-caps
}

@test "a bad entry: a FIFO" {
	mkfifo "$ROOT$ENVIRONMENT/PIPE"
	warned_of PIPE
	[ -p "$ROOT$ENVIRONMENT/PIPE" ]
}

@test "a bad entry: a NUL byte in the value" {
	printf 'a\0b' >"$ROOT$ENVIRONMENT/NUL"
	warned_of NUL
}

@test "a bad entry: a value of 200 KB" {
	head -c 200000 /dev/zero | tr '\0' x >"$ROOT$ENVIRONMENT/HUGE"
	warned_of HUGE
	[ "$(stat -c %s "$ROOT$ENVIRONMENT/HUGE")" -eq 200000 ]
}

@test "a bad entry: a symbolic link to itself" {
	ln -s LOOP "$ROOT$ENVIRONMENT/LOOP"
	warned_of LOOP
}

@test "a bad entry: a dangling symbolic link" {
	ln -s /no/where "$ROOT$ENVIRONMENT/DANGLING"
	warned_of DANGLING
}

@test "a bad entry: a name with =" {
	variable 'a=b' x
	warned_of 'a=b'
}

@test "a bad entry: a device" {
	cp -a /dev/zero "$ROOT$ENVIRONMENT/ENDLESS"
	warned_of ENDLESS
}

@test "a bad variable: a name with /" {
	warned_of a/b a/b=c
	container_run a/b=c -- --quiet -- env
	grep -qx a/b=c "$OUTPUT/stdout"
}

@test "a bad variable: a name that climbs out of the directory" {
	warned_of ../../tmp/climbed ../../tmp/climbed=c
	[ ! -e "$ROOT/tmp/climbed" ]
}

@test "more than a program can be given: a warning, and the boot goes on" {
	local i
	for i in {10..39}; do
		head -c 100000 /dev/zero | tr '\0' x >"$ROOT$ENVIRONMENT/BIG_$i"
	done
	variable A first
	container_run -- -- sh -c 'echo "$A"; exit 42'
	[ "$status" -eq 42 ]
	[ "$stdout" = first ]
	[[ $stderr == *"$ENVIRONMENT/BIG_"* ]]
}

@test "a bad entry's name is escaped" {
	mkdir "$ROOT$ENVIRONMENT/"$'bad\e[1m'
	warned_of 'bad\x1b[1m'
}

@test "a symbolic link to a file is read" {
	root_file /run/secret <<<value
	ln -s /run/secret "$ROOT$ENVIRONMENT/LINKED"
	container_run -- --quiet -- /opt/tell command LINKED
	[ "$stdout" = "command LINKED=value" ]
	[ ! -s "$OUTPUT/stderr" ]
}

@test "no directory: said once, and no dumps" {
	rmdir "$ROOT$ENVIRONMENT"
	startup_script 1 <<<$'#!/bin/sh\n/opt/tell script FOO HOME'
	startup_script 2 <<<$'#!/bin/sh\nexit 0'
	container_run FOO=docker -- /opt/tell command FOO HOME
	[ "$status" -eq 0 ]
	[ "$stdout" = "script FOO=docker
script HOME=/root
command FOO=docker
command HOME=/root" ]
	[ "$(grep -c "container_environment" "$OUTPUT/stderr")" -eq 1 ]
	[ ! -e "$ROOT$ENVIRONMENT" ]
	[ ! -e "$ROOT$ENVIRONMENT.sh" ]
	[ ! -e "$ROOT$ENVIRONMENT.json" ]
}

@test "a directory that cannot be written: said once, docker's variables stay" {
	variable FROM_FILE 1
	startup_script 1 <<<$'#!/bin/sh\nexec /opt/tell script FOO FROM_FILE'
	startup_script 2 <<<$'#!/bin/sh\nexit 0'
	container_run --read-only FOO=docker -- /opt/tell command FOO FROM_FILE
	[ "$status" -eq 0 ]
	[ "$stdout" = "script FOO=docker
script FROM_FILE=1
command FOO=docker
command FROM_FILE=1" ]
	[ "$(grep -cE '^\*\*\* .*[Rr]ead-only' "$OUTPUT/stderr")" -eq 1 ] ||
		fail "not one message"
}

@test "a dump keeps the mode and owner of the old file" {
	printf old >"$ROOT$ENVIRONMENT.sh"
	printf old >"$ROOT$ENVIRONMENT.json"
	variable FOO old
	chmod 640 "$ROOT$ENVIRONMENT.sh"
	chown 1234:8377 "$ROOT$ENVIRONMENT.sh"
	chmod 644 "$ROOT$ENVIRONMENT.json"
	chown 0:8377 "$ROOT$ENVIRONMENT.json"
	chmod 604 "$ROOT$ENVIRONMENT/FOO"
	chown 55:66 "$ROOT$ENVIRONMENT/FOO"
	startup_script 1 <<<$'#!/bin/sh\nexit 0'
	container_run FOO=docker -- --quiet -- true
	[ "$(mode_and_owner "$ROOT$ENVIRONMENT.sh")" = "640 1234:8377" ]
	[ "$(mode_and_owner "$ROOT$ENVIRONMENT.json")" = "644 0:8377" ]
	[ "$(mode_and_owner "$ROOT$ENVIRONMENT/FOO")" = "604 55:66" ]
	grep -qx 'export FOO=docker' "$ROOT$ENVIRONMENT.sh"
	[ "$(json FOO)" = "'docker'" ]
	[ "$(cat "$ROOT$ENVIRONMENT/FOO")" = docker ]
}

@test "new dumps are root's alone, whatever the umask" {
	local mask
	for mask in 000 022 077; do
		rm -rf "$ROOT$ENVIRONMENT".* "$ROOT$ENVIRONMENT"/*
		root_file /opt/masked 755 <<-EOF
		#!/bin/sh
		umask $mask
		exec "\$@"
		EOF
		container_run --via /opt/masked FOO=docker -- --quiet -- \
		    sh -c umask
		[ "$stdout" = "0$mask" ]
		[ "$(mode_and_owner "$ROOT$ENVIRONMENT.sh")" = "600 0:0" ]
		[ "$(mode_and_owner "$ROOT$ENVIRONMENT.json")" = "600 0:0" ]
		[ "$(mode_and_owner "$ROOT$ENVIRONMENT/FOO")" = "600 0:0" ]
	done
}

@test "a dump that is a symbolic link is replaced, its target left alone" {
	root_file /opt/target 600 <<<precious
	ln -s /opt/target "$ROOT$ENVIRONMENT.sh"
	ln -s /opt/target "$ROOT$ENVIRONMENT.json"
	startup_script 1 <<<$'#!/bin/sh\nexit 0'
	container_run -- --quiet -- true
	[ "$status" -eq 0 ]
	[ "$(cat "$ROOT/opt/target")" = precious ]
	[ ! -L "$ROOT$ENVIRONMENT.sh" ]
	[ ! -L "$ROOT$ENVIRONMENT.json" ]
	grep -q ^export "$ROOT$ENVIRONMENT.sh"
}

@test "a variable that is a symbolic link is replaced, its target left alone" {
	root_file /opt/target <<<precious
	ln -s /opt/target "$ROOT$ENVIRONMENT/FOO"
	container_run FOO=docker -- --quiet -- true
	[ "$status" -eq 0 ]
	[ "$(cat "$ROOT/opt/target")" = precious ]
	[ "$(cat "$ROOT$ENVIRONMENT/FOO")" = docker ]
}

@test "dumps are replaced whole: a reader has the old one or the new one" {
	startup_script 1 <<-EOF
	#!/bin/bash
	exec 8<$ENVIRONMENT.sh
	printf changed >$ENVIRONMENT/FOO
	# Kept open by what this leaves behind, and read after the re-import.
	setsid bash -c 'until grep -q changed $ENVIRONMENT.sh; do sleep 0.01; done
	    cat <&8 >/tmp/old; echo read >/tmp/read' >/dev/null 2>&1 &
	EOF
	container_start FOO=docker -- sleep 1000
	wait_for "the reader" test -s "$ROOT/tmp/read"
	# The .json comes after the .sh, and the command after both.
	wait_output '^\*\*\* Running sleep'
	grep -qx 'export FOO=docker' "$ROOT/tmp/old"
	# Nothing is left lying about.
	[ "$(ls -A "$ROOT/etc" | grep -c container_environment)" -eq 3 ]
	[ "$(ls -A "$ROOT$ENVIRONMENT")" = $'FOO\nPATH' ]
}

@test "scripts, services and command have no signal ignored" {
	local tell='grep SigIgn /proc/$$/status'
	startup_script 1 <<<"#!/bin/sh
echo script \$($tell)"
	service s <<<"#!/bin/sh
echo service \$($tell)
exec sleep 1000"
	container_start -- -- sh -c "echo command \$($tell); exec sleep 1000"
	local who
	for who in script service command; do
		wait_output "^$who SigIgn: 0000000000000000\$"
	done
}

@test "shutdown scripts have the environment, and no signal ignored" {
	root_file /etc/my_init.pre_shutdown.d/1 755 <<-'EOF'
	#!/bin/sh
	/opt/tell pre FOO
	grep SigIgn /proc/$$/status
	EOF
	variable FOO file
	startup_script 1 <<<$'#!/bin/sh\nprintf new >/etc/container_environment/FOO'
	container_start -- sleep 1000
	wait_output '^\*\*\* Running sleep'
	container_kill TERM
	container_wait
	grep -qx 'pre FOO=new' "$OUTPUT/stdout"
	grep -qx 'SigIgn:	0000000000000000' "$OUTPUT/stdout"
}

@test "what a service or the command writes changes nothing" {
	service s <<-EOF
	#!/bin/sh
	/opt/tell service FOO
	printf late >$ENVIRONMENT/FOO
	exec sleep 1.2
	EOF
	container_start -- sleep 1000
	wait_lines 2 '^service has no FOO$'
	no_output 'service FOO'
}
