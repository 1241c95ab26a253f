/* Where the control socket is (PROTOCOL.md, "Where"). */
#ifndef PROTO_SOCKET_H
#define PROTO_SOCKET_H

#define OWN_DIRECTORY		"/run/my_init"
#define OWN_DIRECTORY_FALLBACK	"/dev/shm/my_init"
#define RPC_SOCKET		OWN_DIRECTORY "/control.sock"
#define RPC_SOCKET_FALLBACK	OWN_DIRECTORY_FALLBACK "/control.sock"
#define RPC_SOCKET_VARIABLE	"INITCTL_SOCKET"

#endif
