#!/usr/bin/env bats
# install_clean: what it calls, in which order, and where it stops.

load container

# An apt-get that writes its calls to /tmp/calls, and fails in the step that /tmp/fail
# names with the code that follows.
setup() {
	container_setup
	root_file /opt/bin/apt-get 755 <<-'EOS'
	#!/bin/sh
	echo "$*" >>/tmp/calls
	echo "$DEBIAN_FRONTEND" >/tmp/frontend
	echo "apt-get says $*"
	read -r line && echo "apt-get was told $line"
	for step in update install autoremove clean; do
		case " $* " in *" $step "*)
			read -r name code </tmp/fail
			[ "$name" != $step ] || exit $code
			[ $step != update ] || touch /var/lib/apt/lists/new
		esac
	done
	EOS
	rm -rf "$ROOT/var/lib/apt"
	mkdir -p "$ROOT/var/lib/apt/lists/partial" "$ROOT/opt/empty"
	touch "$ROOT/var/lib/apt/lists/one"
	container_start --
	echo "none 0" >"$(container_file /tmp/fail)"
}

# install CODE ARGUMENT...: with extra variables of $variables.  $calls, $out and $err
# are what came of it.
install() {
	local expected=$1 code=0
	shift
	: >"$(container_file /tmp/calls)"
	container_exec "PATH=/opt/bin:$CONTAINER_PATH" "${variables[@]}" \
	    env --chdir=/opt install_clean "$@" </dev/null >"$OUTPUT/said.out" \
	    2>"$OUTPUT/said.err" || code=$?
	out=$(cat "$OUTPUT/said.out")
	err=$(cat "$OUTPUT/said.err")
	calls=$(cat "$(container_file /tmp/calls)")
	if [ $code -ne "$expected" ]; then
		fail "install_clean $*: exit code $code, not $expected: $out $err"
		return
	fi
}

lists() {
	ls -A "$(container_file /var/lib/apt/lists)"
}

@test "the steps, in their order; no lists are left" {
	install 0 memcached
	[ "$calls" = "-q update
-qy install --no-install-recommends memcached
-qy autoremove
clean" ]
	[ "$(head -n 1 <<<"$out")" = "Installing memcached" ]
	[[ $out == *"apt-get says -qy install "* ]]
	[ -z "$err" ]
	[ -z "$(lists)" ]
	[ -d "$(container_file /var/lib/apt/lists)" ]
	# Once more, when there is nothing to be removed.
	install 0 memcached
}

@test "--install-recommends, anywhere; other options are apt-get's" {
	local words
	for words in '--install-recommends a b' 'a --install-recommends b' \
	    'a b --install-recommends'; do
		# shellcheck disable=SC2086
		install 0 $words
		[ "$(sed -n 2p <<<"$calls")" = \
		    "-qy install --install-recommends a b" ]
		[ "$(head -n 1 <<<"$out")" = "Installing a b" ]
	done
	install 0 -t backports --reinstall a=1.0 b-
	[ "$(sed -n 2p <<<"$calls")" = \
	    "-qy install --no-install-recommends -t backports --reinstall a=1.0 b-" ]
	# A list in quotes, over several lines; nothing is taken for a pattern.
	install 0 'a  b' $'c\n\td --install-recommends' '*'
	[ "$(sed -n 2p <<<"$calls")" = "-qy install --install-recommends a b c d *" ]
}

@test "DEBIAN_FRONTEND is noninteractive, unless it is set" {
	install 0 a
	[ "$(cat "$(container_file /tmp/frontend)")" = noninteractive ]
	variables=(DEBIAN_FRONTEND=teletype)
	install 0 a
	[ "$(cat "$(container_file /tmp/frontend)")" = teletype ]
}

@test "a step that fails is the last, and its code is the exit code" {
	local step code=100 made=0
	for step in update install autoremove clean; do
		code=$((code + 1)) made=$((made + 1))
		echo "$step $code" >"$(container_file /tmp/fail)"
		install $code a
		[ "$(wc -l <<<"$calls")" -eq $made ]
		[ -n "$(lists)" ]
	done
	rm "$(container_file /opt/bin/apt-get)"
	code=0
	container_exec PATH=/opt/empty /bin/sh /sbin/install_clean a || code=$?
	[ $code -eq 127 ]
}

@test "usage: nothing is called" {
	local words
	for words in '' --install-recommends '--install-recommends --install-recommends'
	do
		# shellcheck disable=SC2086
		install 2 $words
		[ -z "$calls" ]
		[ -z "$out" ]
		[ "$err" = \
		    "Usage: /sbin/install_clean [--install-recommends] PACKAGE..." ]
	done
	install 2 ''
	install 2 ' ' ''
	install 0 --help
	[[ $out == "Usage: /sbin/install_clean "*"install_clean(8)."* ]]
	[ -z "$calls$err" ]
	[ -n "$(lists)" ]
}
