# Completion of initctl and sv for bash.
# shellcheck shell=bash disable=SC2207

_initctl_services() {
	local directory
	for directory in /etc/service/*/; do
		directory=${directory%/}
		[ "$directory" = '/etc/service/*' ] || echo "${directory##*/}"
	done
}

_initctl() {
	local word=${COMP_WORDS[COMP_CWORD]} command='' i
	local commands='status start stop restart once reload signal rescan
	    enable-insecure-key shutdown version help'
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --timeout | --exit-code) i=$((i + 1)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $word,$command in
	-*,*) COMPREPLY=($(compgen -W '--json --socket --timeout --no-wait
	    --exit-code --version --help' -- "$word")) ;;
	*,) COMPREPLY=($(compgen -W "$commands" -- "$word")) ;;
	*,signal) if [ $((COMP_CWORD - i)) -eq 1 ]; then
		COMPREPLY=($(compgen -W 'HUP INT QUIT KILL USR1 USR2 ALRM TERM
		    CONT STOP WINCH' -- "$word"))
	else
		COMPREPLY=($(compgen -W "$(_initctl_services)" -- "$word"))
	fi ;;
	*,status | *,start | *,stop | *,restart | *,once | *,reload)
		COMPREPLY=($(compgen -W "$(_initctl_services)" -- "$word")) ;;
	esac
}
complete -F _initctl initctl

_initctl_sv() {
	local word=${COMP_WORDS[COMP_CWORD]}
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W 'status up down once pause cont hup alarm
		    interrupt quit 1 2 term kill exit start stop reload restart
		    shutdown check try-restart force-stop force-reload
		    force-restart force-shutdown' -- "$word"))
	else
		COMPREPLY=($(compgen -W "$(_initctl_services)" -- "$word"))
	fi
}
complete -F _initctl_sv sv
