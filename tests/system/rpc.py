#!/usr/bin/python3
"""A client of the control protocol, written from proto/PROTOCOL.md alone.

It has nothing in common with initctl and the gate (msgpack is Python's own), and
checks every message it gets: what that page does not allow fails the test.

    rpc.py METHOD [KEY=VALUE...]   one request; prints what came of it:
                                   "NAME ok" or "NAME CODE" a service, or the
                                   result, or "error CODE" (exit code 1)
    rpc.py show NAME KEY...        values of a service; of the status if NAME is .
    rpc.py SCENARIO [ARGUMENT...]  a function marked @scenario, of rpc_protocol.py
                                   and rpc_hostile.py, one for a test

The socket is where the protocol says, or where INITCTL_SOCKET does.
"""
import contextlib
import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback

import msgpack

PLACES = ("/run/my_init/control.sock", "/dev/shm/my_init/control.sock")
METHODS = ("version", "status", "start", "stop", "restart", "once", "reload",
           "signal", "rescan", "enable_insecure_key", "shutdown", "subscribe")
CODES = ("bad_request", "denied", "busy", "unavailable", "unknown_service",
         "booting", "shutting_down", "failed", "superseded", "not_up",
         "not_permitted", "timeout")
PHASES = ("environment", "insecure key", "startup scripts", "rc.local",
          "running", "stopping the startup script",
          "stopping the main command", "pre-shutdown scripts",
          "stopping services", "post-shutdown scripts", "done",
          "stopping early services")
STATES = ("down", "starting", "up", "backoff", "stopping", "finishing",
          "failed")
NIL = type(None)
SERVICE = {"name": (str, bytes), "state": (str,), "want": (str,),
           "pid": (int, NIL), "ready": (bool,), "paused": (bool,),
           "sent": (int,), "since_ms": (int,), "uptime_ms": (int,),
           "next_start_ms": (int, NIL), "restarts": (int,),
           "exit": (dict, NIL), "error": (str, bytes, NIL),
           "says": (str, bytes, NIL)}
STATUS = {"phase": (str,), "script": (str, bytes, NIL),
          "supervisor_pid": (int,), "supervisor_restarts": (int,),
          "services": (list,), "unknown": (list,)}

PATIENCE = 25           # seconds for anything that is to happen
AT_ONCE = 4             # less than any limit of the protocol
LIMIT = 5               # that of most


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(map(str, what))[:2000])


# --- what the protocol allows ---------------------------------------------------
def check_keys(value, keys):
    expect(type(value) is dict and set(value) == set(keys),
           "not the keys", sorted(keys), "but", value)
    for key, types in keys.items():
        expect(type(value[key]) in types, key, "has a wrong type:", value)
        expect(type(value[key]) is not int or value[key] >= 0, "negative:", value)


def check_name(name):
    expect(type(name) in (str, bytes) and 0 < len(name) < 104, "name:", name)
    if type(name) is bytes:
        try:
            name.decode()
        except UnicodeDecodeError:
            return
        raise AssertionError("bin, but it is UTF-8: %r" % name)


def check_service(service):
    check_keys(service, SERVICE)
    check_name(service["name"])
    state, ended = service["state"], service["exit"]
    expect(state in STATES, "state:", service)
    expect(service["want"] in ("up", "down", "once"), "want:", service)
    expect(service["ready"] == (state == "up"), "ready:", service)
    expect((service["next_start_ms"] is not None) == (state == "backoff") or
           (state == "up" and service["pid"] is None),
           "next_start_ms:", service)
    if state in ("down", "backoff", "failed"):
        expect(service["pid"] is None and service["uptime_ms"] == 0,
               "runs:", service)
    expect(service["pid"] != 0 and service["error"] != "", "empty:", service)
    expect(ended is None or len(ended) == 1 and (
        type(ended.get("code")) is int and 0 <= ended["code"] <= 255 or
        type(ended.get("signal")) is int and 1 <= ended["signal"] <= 64),
           "exit:", service)


def name_bytes(service):
    name = service["name"]
    return name if type(name) is bytes else name.encode()


def check_error(error):
    check_keys(error, {"code": (str,), "message": (str,)})
    expect(error["code"] in CODES and error["message"], "error:", error)


def check_result(result):
    expect(type(result) is dict, "result:", result)
    if "phase" in result:
        check_keys(result, STATUS)
        expect(result["phase"] in PHASES, "phase:", result)
        for service in result["services"]:
            check_service(service)
        names = [name_bytes(service) for service in result["services"]]
        # A logger, web/log, comes after its service.
        expect(names == sorted(set(names), key=lambda n: n.replace(b"/", b"\0")),
               "not sorted, or twice:", names)
        for name in result["unknown"]:
            check_name(name)
    elif "services" in result:
        check_keys(result, {"services": (list,)})
        for outcome in result["services"]:
            keys = {"name": (str, bytes), "ok": (bool,)}
            if "pid" in outcome:
                keys["pid"] = (int,)
            if "exit" in outcome:
                keys["exit"] = (dict,)
            if not outcome["ok"]:
                keys["error"] = (dict,)
            check_keys(outcome, keys)
            check_name(outcome["name"])
            if not outcome["ok"]:
                check_error(outcome["error"])


def check_message(message):
    expect(type(message) is list, "no array:", message)
    if message[:1] == [2]:
        expect(len(message) == 3 and message[1] == "service" and
               len(message[2]) == 1, "notification:", message)
        check_service(message[2][0])
        return
    expect(len(message) == 4 and type(message[0]) is int and message[0] == 1 and
           type(message[1]) is int and 0 <= message[1] < 2 ** 32 and
           (message[2] is None) != (message[3] is None), "response:", message)
    if message[2] is not None:
        check_error(message[2])
    else:
        check_result(message[3])


# --- a connection ---------------------------------------------------------------
class Failure(Exception):
    """What a request was answered with, "closed" or "silent"."""
    def __init__(self, code, message=""):
        super().__init__(code, message)
        self.code, self.message = code, message


class NotThere(Exception):
    pass


def pack(method, msgid=1, **params):
    return msgpack.packb([0, msgid, method, [params] if params else []])


def place():
    if "INITCTL_SOCKET" in os.environ:
        return os.environ["INITCTL_SOCKET"]
    if os.path.exists(PLACES[0]):
        return PLACES[0]
    with contextlib.suppress(OSError):
        if os.stat(os.path.dirname(PLACES[1])).st_uid in (0, os.getuid()):
            return PLACES[1]
    return PLACES[0]


class Client:
    def __init__(self, patience=PATIENCE):
        """The socket is there soon after the start, and again after a fault."""
        end = time.monotonic() + patience
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            # Without O_NONBLOCK, with which a full queue is an error.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                                   struct.pack("ll", PATIENCE, 0))
            try:
                self.socket.connect(place())
                break
            except OSError as error:
                self.socket.close()
                if error.errno not in (errno.ENOENT, errno.ECONNREFUSED) or \
                        time.monotonic() > end:
                    raise NotThere(str(error)) from error
            time.sleep(0.02)
        self.began = time.monotonic()
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False: it is closed; there may be something to be read anyway."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def half_close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def read(self, within=PATIENCE):
        """The next message, or None when it is closed."""
        end = time.monotonic() + within
        while True:
            for message in self.unpacker:
                check_message(message)
                return message
            if not select.select([self.socket], [], [],
                                 max(0, end - time.monotonic()))[0]:
                raise Failure("silent")
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.unpacker.feed(data)

    def readable(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def answer(self, msgid=1, within=PATIENCE):
        message = self.read(within)
        if message is None:
            raise Failure("closed")
        expect(message[0] == 1, "no response:", message)
        expect(message[1] == msgid or message[1] == 0 and message[2] and
               message[2]["code"] in ("busy", "denied", "unavailable"),
               "the response to another request:", message)
        if message[2] is not None:
            raise Failure(message[2]["code"], message[2]["message"])
        return message[3]

    def call(self, method, within=PATIENCE, **params):
        self.send(pack(method, **params))
        return self.answer(1, within)

    def refused(self, method, **params):
        """The code of the error that a request is answered with."""
        try:
            return "ok: %r" % self.call(method, **params)
        except Failure as failure:
            return failure.code

    def rest(self, within=PATIENCE):
        """All messages that come until it is closed."""
        messages, end = [], time.monotonic() + within
        while (message := self.read(max(0, end - time.monotonic()))) is not None:
            messages.append(message)
        return messages


def call(method, **params):
    with Client() as client:
        return client.call(method, **params)


def service(name):
    services = call("status", names=[name])["services"]
    expect(len(services) == 1, name, "is", services)
    return services[0]


def wait_until(what, condition, within=PATIENCE):
    end = time.monotonic() + within
    while not condition():
        expect(time.monotonic() < end, "waited in vain for", what)
        time.sleep(0.02)


def outcome(result):
    return {item["name"]: "ok" if item["ok"] else item["error"]["code"]
            for item in result["services"]}


def wants(name, want):
    wait_until("%s is wanted %s" % (name, want),
               lambda: service(name)["want"] == want)


def answers(data, within=PATIENCE, half_close=True):
    """What is said to these bytes until the connection is closed."""
    with Client() as client:
        client.send(data)
        if half_close:
            client.half_close()
        return client.rest(within)


def closed_at_once(data, what):
    said = answers(data, AT_ONCE, half_close=False)
    expect(said == [], what, "is answered:", said)


def next_is_served():
    call("version")


class Follower(Client):
    """A subscriber, which must hear nothing of other services."""
    def __init__(self, *wanted):
        super().__init__()
        self.send(pack("subscribe", names=list(wanted)))
        expect(self.answer() == {}, "the result of subscribe")

    def hears(self, what, condition, within=PATIENCE):
        end = time.monotonic() + within
        while True:
            message = self.read(max(0, end - time.monotonic()))
            expect(message is not None, "closed before", what)
            expect(message[0] == 2, "no notification:", message)
            said = message[2][0]
            expect(said["name"] in ("a", "new"), "unwanted:", said)
            if condition(said):
                return said


# --- the command line -----------------------------------------------------------
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def plain(value):
    if value is None or type(value) is bool:
        return {None: "nil", True: "true", False: "false"}[value]
    if type(value) is bytes:
        return "bin:" + value.hex()
    if type(value) is dict:
        return ",".join("%s:%s" % (k, plain(v)) for k, v in sorted(value.items()))
    if type(value) is list:
        return ",".join(map(plain, value))
    return str(value)


def parameter(text):
    key, value = text.split("=", 1)
    if key == "names":
        return key, value.split(",") if value else []
    with contextlib.suppress(ValueError):
        value = json.loads(value)
    return key, value


def one_request(method, *arguments):
    result = call(method, **dict(map(parameter, arguments)))
    if "phase" in result or "services" not in result:
        print(plain(result))
        return
    for item in result["services"]:
        print(plain(item["name"]),
              "ok" if item["ok"] else item["error"]["code"])


@scenario
def show(name, *keys):
    values = call("status") if name == "." else service(name)
    print(" ".join(plain(values[key]) for key in keys))


@scenario
def message_of(method, *arguments):
    """The messages of what went wrong."""
    for item in call(method, **dict(map(parameter, arguments)))["services"]:
        if not item["ok"]:
            print(item["error"]["message"])


def run(function):
    code = 1
    try:
        function()
        code = 0
    except Failure as failure:
        print("error", failure.code)
        traceback.print_exc()
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main():
    name, arguments = sys.argv[1], sys.argv[2:]
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.modules["rpc"] = sys.modules["__main__"]
    import rpc_hostile          # noqa: F401
    import rpc_protocol         # noqa: F401
    if name in SCENARIOS:
        run(lambda: SCENARIOS[name](*arguments))
    try:
        one_request(name, *arguments)
    except Failure as failure:
        print("error", failure.code)
        sys.exit(failure.message or 1)


if __name__ == "__main__":
    main()
