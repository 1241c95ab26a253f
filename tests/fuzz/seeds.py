#!/usr/bin/python3
"""What the fuzz targets begin with: seeds.py TARGET DIRECTORY DICTIONARY.

Writes each input as a file of the directory, and the words of the protocol as a
dictionary in libFuzzer's format.  An input that a finding came of belongs here.
"""
import itertools
import os
import struct
import sys

from msgpack import packb

METHODS = ("version", "status", "start", "stop", "restart", "once", "reload",
           "signal", "rescan", "enable_insecure_key", "shutdown", "subscribe",
           "wait", "logs")
PARAMETERS = ("names", "wait", "timeout_ms", "signal", "exit_code", "for",
              "only", "lines", "follow")
STATES = ("down", "starting", "up", "backoff", "stopping", "finishing",
          "failed")
WANTS = ("up", "down", "once")
CODES = ("bad_request", "denied", "busy", "unavailable", "unknown_service",
         "booting", "shutting_down", "failed", "superseded", "not_up",
         "not_permitted", "timeout")
KEYS = ("services", "unknown", "phase", "script", "supervisor_pid",
        "supervisor_restarts", "name", "state", "want", "pid", "ready",
        "paused", "sent", "since_ms", "uptime_ms", "next_start_ms", "restarts",
        "exit", "signal", "code", "error", "message", "ok", "added", "removed",
        "changed", "version", "protocol", "says", "lines", "dropped", "lost")
NUMBERS = (0, 1, 64, 65, 255, 256, -1, -2**31, 2**31 - 1, 2**31, 2**32 - 1,
           2**32, 2**63 - 1, 2**63, 2**64 - 1, -2**63, 3600000, 3600001)
NAMES = ("a", "web*", "x" * 103, "x" * 104, "", "a\0b", b"\xff\xfe", "\x9b2J",
         "\U0001f433")


def request(method, *parameters, msgid=1):
    return packb([0, msgid, method, list(parameters)])


def requests():
    yield from (request(method) for method in METHODS)
    full = {"names": ["a", "b*"], "wait": False, "timeout_ms": 1000}
    for method in METHODS[2:6]:
        yield request(method, full)
    for method in ("status", "subscribe", "reload"):
        yield request(method, {"names": ["a"]})
        yield request(method, {})
        yield request(method, {"names": []})
    for signal in (1, 15, 64, 0, 65, "HUP", "SIGHUP", "SIG", "NONE", "", b"TERM"):
        yield request("signal", {"names": ["a"], "signal": signal})
    for what in ("ready", "down", "exit", "up", "", b"down"):
        yield request("wait", {"names": ["a"], "for": what, "timeout_ms": 1})
    for number in (0, 1, 32768, 32769, -1):
        yield request("logs", {"names": ["a"], "lines": number, "follow": True})
    for only in (True, False, 1):
        yield request("stop", {"names": ["a"], "only": only})
    for number in NUMBERS:
        yield request("shutdown", {"exit_code": number, "timeout_ms": number})
        yield request("start", {"names": ["a"], "timeout_ms": number})
        yield packb([0, number, "version", []])
        yield packb([number, 0, "version", []])
    yield from (request("start", {"names": [name]}) for name in NAMES)
    yield request("start", {"names": list(NAMES)})
    yield request("stop", {"names": [str(i) for i in range(1024)]})
    yield request("stop", {"names": [str(i) for i in range(1025)]})
    yield request("stop", {"names": ["x" * 103] * 38})
    for key, value in itertools.product(PARAMETERS, ([], {}, None, "x", 1)):
        yield request("start", {"names": ["a"], key: value})
    yield from wrong()
    # Two in one write, and one and a half.
    yield request("version") + request("status")
    yield request("version") + request("status")[:5]


def wrong():
    """What is no request, or no MessagePack at all."""
    pair = packb("names") + packb(["a"])
    yield b"\x94\x00\x01" + packb("status") + b"\x91\x82" + pair + pair
    for message in ([], [0], [0, 1], [0, 1, "version"], [0, 1, 2, []], {}, 7,
                    [0, 1, "version", [], 5], [0, 1, "version", {}],
                    [0, 1, "version", [[]]], [0, 1, "version", [{}, {}]],
                    [0, 1, "nonsense", []], [2, "service", [{}]],
                    [0, 1, "start", [{"names": [["a"]]}]],
                    [[[[]]]], [[[[[]]]]], [[[[[[[]]]]]]]):
        yield packb(message)
    # Types that no message may have, and every length in full.
    for first in b"\xc1\xc7\xc8\xc9\xca\xcb\xd4\xd5\xd6\xd7\xd8":
        yield b"\x94\x00\x01" + bytes([first]) + b"\x01" * 17
    for first in b"\xc4\xc5\xc6\xd9\xda\xdb\xdc\xdd\xde\xdf":
        for fill in b"\x00\xff\x7f\x80":
            yield bytes([first, fill, fill, fill, fill])
            yield b"\x91" + bytes([first, fill, fill, fill, fill])
        yield bytes([first]) + b"\0\0\0\1a"
    # As large as fuzz_request.c's own limit has it, and a byte more.
    for length in (63, 64, 65):
        yield b"\xd9" + bytes([length - 2]) + b"x" * (length - 2)
        yield b"\xdc\x00" + bytes([length - 3]) + b"\x00" * (length - 3)
    yield b"\xdd" + struct.pack(">I", 65531) + b"\x00" * 100
    yield b"\xdd" + struct.pack(">I", 65532) + b"\x00" * 100


def gate(control, kind, name=b"", number=0, timeout_ms=0, uid=0):
    return bytes([control]) + struct.pack("=IiiI104s", kind, number,
                                          timeout_ms, uid, name)


def gates():
    start, signal, rescan, key, shutdown, refused, sandbox, delivered = (
        1, 5, 6, 7, 8, 9, 10, 11)
    stop, reload = 2, 12
    # Bits 0 to 3 of the first byte are the phase less 1, see fuzz_gate.c.
    for phase in range(11):
        yield b"".join(gate(phase, kind, b"a", 15) for kind in range(1, 6))
        yield gate(phase, rescan) + gate(phase, key)
    for name in (b"a", b"removed", b"web server", b"\xff\x1b[2J", b"unknown",
                 b"0123456789" * 10 + b"012", b"0123456789" * 10 + b"0123",
                 b"", b"a\0b"):
        yield b"".join(gate(4, kind, name, 15) for kind in range(13))
    yield gate(4, reload, b"a") + gate(4, reload)
    for number in (0, 1, 64, 65, -1, -2, 255, 256, 2**31 - 1, -2**31):
        yield gate(4, stop, b"a", number)
        yield gate(4, signal, b"a", number)
        yield gate(4, shutdown, b"", number, -1) + gate(4, delivered)
        yield gate(4, shutdown, b"", -1, number) + gate(0x14, rescan)
        yield gate(4, sandbox, b"", number) + gate(4, refused, b"", number,
                                                   0, 2**32 - 1)
    for result in range(4):
        yield gate(4 | result << 5, signal, b"a", 9)
    # Asked twice; told twice; told after the timer.
    yield gate(4, shutdown, b"", 1) * 2 + gate(4, delivered) * 2
    yield gate(4, shutdown, b"", 1) + gate(0x14, delivered)
    yield gate(4, delivered) + gate(4, start, b"a")
    yield b"\xff" * 121
    yield gate(4, start, b"a")[:-1]


def service(name="web", state="up", **other):
    return {"name": name, "state": state, "want": "up", "pid": 123,
            "ready": True, "paused": False, "sent": 0, "since_ms": 90061000,
            "uptime_ms": 61000, "next_start_ms": None, "restarts": 0,
            "exit": None, "error": None, "says": None, **other}


def status(*services, unknown=(), **other):
    return {"phase": "running", "script": None, "supervisor_pid": 7,
            "supervisor_restarts": 0, "services": services,
            "unknown": unknown, **other}


def response(result, error=None, msgid=0):
    return packb([1, msgid, error, result])


def replies():
    services = [service(state=state, want=want)
                for state in STATES for want in WANTS]
    yield from (response(status(one)) for one in services)
    yield response(status(*services, unknown=NAMES))
    yield response(status())
    yield response(status(phase="startup scripts", script="/etc/my_init.d/a"))
    yield response(status(phase="\x1b[2J", script=b"\xff\n"))
    for name in NAMES:
        yield response(status(service(name), unknown=[name]))
        yield response({"services": [{"name": name, "ok": True, "pid": 3}]})
        yield response({"services": [{"name": name, "ok": True,
                                      "exit": {"code": 3}}]})
    # One name unknown; the second message is asked for what it may have meant.
    yield (response(status(unknown=["wep", "zzzzz"])) +
           response(status(service(), service("wxy"))))
    for number in NUMBERS:
        yield response(status(service(
            pid=number, sent=number, since_ms=number, uptime_ms=number,
            next_start_ms=number, restarts=number, exit={"code": number})))
        yield response(status(service(state="finishing",
                                      exit={"signal": number})))
        yield response({"added": number, "removed": number})
        yield response({"version": "0.1.0", "protocol": number})
        yield packb([1, number, None, {}])
    for code in CODES:
        error = {"code": code, "message": "a\nb\x1b\u20ac"}
        yield response(None, error)
        yield response({"services": [{"name": "web", "ok": False,
                                      "error": error}]})
    for lines in ([], ["a line", "", b"\xff\x1b[2J", "\x1b[1;31mred\x1b[m"], [1], None):
        yield response({"services": [{"name": "web", "ok": True, "lines": lines,
                                      "dropped": 3, "lost": True}]})
    yield response({"changed": True})
    yield response(status(service(error="cannot execute ./run", paused=True)))
    yield from mistaken()


def mistaken():
    """Answers that no supervisor gives."""
    for key in service():
        less = service()
        del less[key]
        yield response(status(less))
        for value in (None, True, -1, "x", b"\xff", [], {}, [1], {"a": 1}):
            yield response(status(service(**{key: value})))
    for key in status():
        for value in (None, 1, "x", [], {}, [1, "a", None], {"a": []}):
            yield response(status(service(), **{key: value}))
    for key in (None, 1, -1, True, "", b"\xff", b"\0"):
        yield packb([1, 0, None, {"first": 1, key: {key: 2}}])
    for error in (1, "x", [], {}, {"code": 1}, {"message": []}, False):
        yield response(None, error)
    yield response({"text": "\"\\\x00\x1f\x7f\x9b\u2028\U0010ffff",
                    "bytes": bytes(range(256)), "true": True, "nil": None,
                    "least": -2**63, "most": 2**64 - 1, "array": [[[1]], []]})
    # Longer than anything it is copied to.
    yield response(status(service("x" * 300, error="y" * 2000),
                          unknown=["\x01" * 300, "z" * 5000]))
    yield from wrong()


WORDS = {
    "request": [packb(word) for word in METHODS + PARAMETERS +
                ("HUP", "SIGTERM", "KILL")] + [b"\xc4\x01a", b"\x94\x00"],
    "reply": [packb(word) for word in STATES + CODES + KEYS] +
             [b"\x94\x01\x00\xc0", b"\x94\x01\x00"],
    "gate": [b"a\0", b"removed\0", b"web server\0", b"\xff\x1b[2J\0",
             b"0123456789" * 10 + b"012\0"] +
            [struct.pack("=I", kind) for kind in range(1, 13)],
}
BYTES = {
    "request": [packb(number) for number in NUMBERS] +
               [bytes([first]) + b"\xff" * 4 for first in b"\xdb\xdd\xdf\xc6"],
    "gate": [struct.pack("=I", number & 0xffffffff)
             for number in (64, 65, 255, 256, -1, -2, 2**31 - 1, 2**31)],
}
BYTES["reply"] = BYTES["request"]
INPUTS = {"request": requests, "gate": gates, "reply": replies}


def main():
    target, directory, dictionary = sys.argv[1:]
    for i, data in enumerate(INPUTS[target]()):
        with open(os.path.join(directory, f"seed-{i:03}"), "wb") as file:
            file.write(data)
    with open(dictionary, "w", encoding="ascii") as file:
        for word in WORDS[target] + BYTES[target]:
            text = "".join(f"\\x{byte:02x}" for byte in word)
            file.write(f'"{text}"\n')


main()
