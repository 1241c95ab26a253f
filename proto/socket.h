/* Where the control socket is (PROTOCOL.md, "Where"). */
#ifndef PROTO_SOCKET_H
#define PROTO_SOCKET_H

#define RPC_SOCKET		"/run/my_init/control.sock"
#define RPC_SOCKET_FALLBACK	"/dev/shm/my_init/control.sock"
#define RPC_SOCKET_VARIABLE	"INITCTL_SOCKET"

#endif
