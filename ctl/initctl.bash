# Completion of initctl and sv for bash.
# shellcheck shell=bash

# _initctl_add WORD...: those that begin with what was typed.  Not by compgen -W,
# which would expand the words: a service's name may hold $(...).
_initctl_add() {
	local word
	for word; do
		[[ $word != "$typed"* ]] || COMPREPLY+=("$word")
	done
}

# The services: by name, or by path where one was begun.
_initctl_services() {
	local directory name
	for directory in /etc/service/*/ /etc/service/*/log/; do
		directory=${directory%/}
		[ -d "$directory" ] || continue
		name=$directory
		[[ $typed == /* ]] || name=${directory#/etc/service/}
		[[ $name != "${typed_plain}"* ]] || COMPREPLY+=("$(printf %q "$name")")
	done
}

_initctl_files() {
	local file
	compopt -o filenames 2>/dev/null
	while IFS= read -r file; do
		COMPREPLY+=("$file")
	done < <(compgen -f -- "$typed")
}

_initctl() {
	local typed=${COMP_WORDS[COMP_CWORD]} command='' i
	local typed_plain=${typed//\\/}
	COMPREPLY=()
	# bash makes three words of --socket=PATH.
	i=$((COMP_CWORD - 1))
	[ "$typed" != = ] || typed=''
	[ "${COMP_WORDS[i]}" != = ] || i=$((i - 1))
	case ${COMP_WORDS[i]} in
	--socket) _initctl_files; return ;;
	--timeout | --exit-code | --lines | -n) return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --timeout | --exit-code | --lines | -n)
			[ "${COMP_WORDS[i + 1]}" != = ] || i=$((i + 1))
			i=$((i + 1)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $typed,$command in
	-*,shutdown) _initctl_add --json --socket --timeout --exit-code ;;
	-*,stop) _initctl_add --json --socket --timeout --no-wait --only ;;
	-*,graph) _initctl_add --dot ;;
	-*,logs) _initctl_add --json --socket --follow --lines ;;
	-*,check) ;;
	-*,wait) _initctl_add --json --socket --timeout --ready --down \
	    --any-exit ;;
	-*,start | -*,restart | -*,once)
		_initctl_add --json --socket --timeout --no-wait ;;
	-*,?*) _initctl_add --json --socket ;;
	-*,) _initctl_add --json --socket --timeout --no-wait --exit-code \
	    --version --help ;;
	*,) _initctl_add status start stop restart once reload signal wait health rescan \
	    enable-insecure-key shutdown show check graph logs watch \
	    version help ;;
	*,signal)
		# The first word after it that is no option is the signal.
		for ((i++; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--socket)
				[ "${COMP_WORDS[i + 1]}" != = ] || i=$((i + 1))
				i=$((i + 1)) ;;
			-*) ;;
			*) _initctl_services; return ;;
			esac
		done
		_initctl_add HUP INT QUIT KILL USR1 USR2 ALRM TERM CONT STOP \
		    WINCH ;;
	*,status | *,list | *,start | *,stop | *,restart | *,once | *,reload | \
	    *,wait | *,health | *,show | *,graph | *,logs)
		_initctl_services ;;
	*,check) _initctl_files ;;
	esac
}
complete -F _initctl initctl

_initctl_sv() {
	local typed=${COMP_WORDS[COMP_CWORD]} i
	local typed_plain=${typed//\\/}
	COMPREPLY=()
	[ "${COMP_WORDS[COMP_CWORD - 1]}" != -w ] || return
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-w) i=$((i + 1)) ;;
		-*) ;;
		*) _initctl_services; return ;;
		esac
	done
	case $typed in
	-*) _initctl_add -v -w ;;
	*) _initctl_add status up down once pause cont hup alarm interrupt quit \
	    1 2 term kill exit start stop reload restart shutdown check \
	    try-restart force-stop force-reload force-restart force-shutdown ;;
	esac
}
complete -F _initctl_sv sv
