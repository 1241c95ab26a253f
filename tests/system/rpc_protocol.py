"""What protocol.bats has clients do (see rpc.py)."""
import contextlib
import os
import signal
import struct
import time

import msgpack

from rpc import (LIMIT, Client, Failure, Follower, answers, call,
                 closed_at_once, expect, next_is_served, outcome, pack, scenario,
                 service, wait_until, wants)


@scenario
def names():
    """Names, patterns, and what is neither; services are x*, xy, web1, web2, a."""
    def chosen(*wanted):
        result = call("status", names=list(wanted))
        return ([item["name"] for item in result["services"]],
                result["unknown"])
    everything = ["a", "web1", "web2", "x*", "xy"]
    with Client() as client:
        expect([item["name"] for item in client.call("status")["services"]] ==
               everything, "not all services")
    expect(chosen("web1", "a") == (["a", "web1"], []), "names")
    expect(chosen("web*") == (["web1", "web2"], []), "*")
    expect(chosen("web?", "nope") == (["web1", "web2"], ["nope"]), "?")
    expect(chosen("[ab]", "web[!1]") == (["a", "web2"], []), "[]")
    expect(chosen("*") == (everything, []), "*")
    expect(chosen("x*") == (["x*"], []), "a name that looks like a pattern")
    expect(chosen("x?") == (["x*", "xy"], []), "?")
    expect(chosen("y*", "[") == ([], ["y*", "["]), "what matches nothing")
    expect(outcome(call("start", names=["web*", "nope", "z?"])) ==
           {"web1": "ok", "web2": "ok", "nope": "unknown_service",
            "z?": "unknown_service"}, "start")


@scenario
def not_text():
    """Services are b"caf\\xe9", which is not UTF-8, and "caf\u00e9", which is."""
    latin, text = b"caf\xe9", "caf\u00e9"
    status = call("status")
    expect([item["name"] for item in status["services"]] == [text, latin],
           "names:", status)
    for name in (latin, text, text.encode()):
        services = call("status", names=[name])["services"]
        expect(len(services) == 1, name, services)
    expect(len(call("status", names=["caf*"])["services"]) == 2, "pattern")
    expect(len(call("status", names=[b"caf\xe9*"])["services"]) == 1, "pattern")
    expect(call("status", names=[b"\xff", "\u00fc"])["unknown"] ==
           [b"\xff", "\u00fc"], "unknown")
    expect(outcome(call("stop", names=[latin])) == {latin: "ok"}, "stop")
    expect(service(latin)["state"] == "down", "state")
    expect(service(text)["state"] == "up", "state")
    # As str it is no MessagePack of the specification: any answer will do.
    answers(b"\x94\x00\x01\xa6status\x91\x81\xa5names\x91\xa4" + latin)
    next_is_served()


@scenario
def superseded(name):
    """Of a service that does not end before there is /tmp/go."""
    with Client() as stop, Client() as start:
        stop.send(pack("stop", names=[name]))
        wants(name, "down")
        start.send(pack("start", names=[name]))
        expect(outcome(stop.answer()) == {name: "superseded"}, "stop")
        expect(outcome(call("stop", names=[name], wait=False)) == {name: "ok"},
               "stop without waiting")
        expect(outcome(start.answer()) == {name: "superseded"}, "start")
        restart = stop
        restart.send(pack("restart", names=[name]))
        wants(name, "up")
        start.send(pack("stop", names=[name]))
        expect(outcome(restart.answer()) == {name: "superseded"}, "restart")
        open("/tmp/go", "w").close()
        expect(outcome(start.answer()) == {name: "ok"}, "the last")
        expect(service(name)["state"] == "down", "state")


@scenario
def goes_away(name):
    """In the middle of a wait; and in the middle of 60 starts."""
    with Client() as client:
        client.send(pack("stop", names=[name]))
        wants(name, "down")
    wait_until("it to be stopping", lambda: service(name)["state"] == "stopping")
    with Client() as client:
        client.send(pack("start", names=["many*"]))
        wait_until("the first start", lambda: any(
            item["want"] == "up"
            for item in call("status", names=["many*"])["services"]))
    wait_until("all starts", lambda: all(
        item["state"] == "up"
        for item in call("status", names=["many*"])["services"]))
    open("/tmp/go", "w").close()
    wait_until("the stop", lambda: service(name)["state"] == "down")


@scenario
def together(name):
    """Clients that want something of one service at the same time."""
    for method in ("restart", "stop", "stop", "start", "restart", "once"):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client()) for _ in range(8)]
            for client in clients:
                client.send(pack(method, names=[name]))
            for client in clients:
                expect(outcome(client.answer()) == {name: "ok"}, method)
    call("start", names=[name])
    for _ in range(10):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client()) for _ in range(9)]
            for i, client in enumerate(clients):
                client.send(pack(("restart", "stop", "start")[i % 3],
                                 names=[name]))
            for client in clients:
                said = client.answer()
                expect(outcome(said)[name] in ("ok", "superseded"), said)
    expect(outcome(call("start", names=[name])) == {name: "ok"}, "start")


@scenario
def in_order(name):
    """Requests of one write, of which the first takes until there is /tmp/go."""
    with Client() as client:
        client.send(pack("stop", 7, names=[name]) + pack("version", 2 ** 32 - 1) +
                    pack("status", 0) + pack("nonsense", 3))
        wants(name, "down")
        next_is_served()
        expect(not client.readable(), "answered out of order")
        open("/tmp/go", "w").close()
        expect(outcome(client.answer(7)) == {name: "ok"}, "the first")
        expect("protocol" in client.answer(2 ** 32 - 1), "the second")
        message = client.read()
        expect(message[1] == 0 and message[3]["services"][0]["state"] == "down",
               "the third:", message)
        message = client.read()
        expect(message[1] == 3 and message[2]["code"] == "bad_request",
               "the fourth:", message)


@scenario
def formats(name):
    """Each format that MessagePack has for the same request."""
    def number(n):
        yield bytes([n])
        for first, form in zip(b"\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3",
                               ("B", ">H", ">I", ">Q", "b", ">h", ">i", ">q")):
            yield bytes([first]) + struct.pack(form, n)

    def text(s, firsts=b"\xd9\xda\xdb"):
        for first, form in zip(firsts, ("B", ">H", ">I")):
            yield bytes([first]) + struct.pack(form, len(s)) + s

    def with_parts(zero=b"\x00", msgid=b"\x05", method=b"\xa6status",
                   params=b"\x91", values=b"\x81", key=b"\xa5names",
                   several=b"\x91", item=msgpack.packb(name), whole=b"\x94"):
        data = (whole + zero + msgid + method + params + values + key + several +
                item)
        with Client() as client:
            client.send(data)
            result = client.answer(5)
        expect([item["name"] for item in result["services"]] == [name],
               data, result)

    with_parts()
    for zero in number(0):
        with_parts(zero=zero)
    for msgid in number(5):
        with_parts(msgid=msgid)
    for method in text(b"status"):
        with_parts(method=method)
    for key in text(b"names"):
        with_parts(key=key)
    for item in (*text(name.encode()), *text(name.encode(), b"\xc4\xc5\xc6")):
        with_parts(item=item)
    with_parts(whole=b"\xdc\x00\x04", params=b"\xdc\x00\x01",
               values=b"\xde\x00\x01", several=b"\xdc\x00\x01")
    with_parts(whole=b"\xdd\x00\x00\x00\x04", params=b"\xdd\x00\x00\x00\x01",
               values=b"\xdf\x00\x00\x00\x01", several=b"\xdd\x00\x00\x00\x01")
    # [{}] is [].
    with Client() as client:
        client.send(msgpack.packb([0, 1, "version", [{}]]))
        client.answer()


def names_of_size(size):
    """A status request of exactly that many bytes."""
    wanted = ["%0100d" % i for i in range(16)]
    while size - len(pack("status", names=wanted)) > 204:
        wanted.append("%0100d" % len(wanted))
    left = size - len(pack("status", names=wanted))
    wanted += ["a" * (left // 2 - 2), "b" * (left - left // 2 - 2)]
    request = pack("status", names=wanted)
    expect(len(request) == size, "the test is wrong:", len(request))
    return request, wanted


@scenario
def limits():
    with Client() as client:
        for count in (1, 1024):
            wanted = ["n%d" % i for i in range(count)]
            expect(client.call("status", names=wanted)["unknown"] == wanted,
                   count, "names")
        expect(client.refused("status", names=["n"] * 1025) == "bad_request",
               "1,025 names")
        expect(client.call("status", names=["x" * 103])["unknown"] ==
               ["x" * 103], "103 bytes")
        for name in ("x" * 104, "x" * 4096, "", "a\0b", b"", b"\0"):
            expect(client.refused("status", names=[name]) == "bad_request", name)
        request, wanted = names_of_size(65536)
        client.send(request)
        expect(client.answer()["unknown"] == wanted, "65,536 bytes")
        for timeout in (0, 3600000):
            client.call("start", names=["nope"], timeout_ms=timeout)
        for timeout in (3600001, 2 ** 32, 2 ** 63, 2 ** 64 - 1, -1, -2 ** 63):
            expect(client.refused("start", names=["nope"], timeout_ms=timeout) ==
                   "bad_request", timeout)
    closed_at_once(names_of_size(65537)[0], "a request of 65,537 bytes")


@scenario
def many(count):
    """Services enough for an answer that no socket takes at once."""
    wanted = ["s%04d" % i for i in range(int(count))]
    services = call("status")["services"]
    expect([item["name"] for item in services] == wanted, len(services))
    expect(outcome(call("stop", names=["*"])) == dict.fromkeys(wanted, "ok"),
           "stop")
    with Client() as client, Client() as late:
        client.send(pack("subscribe"))
        expect(client.answer() == {}, "subscribe")
        late.send(pack("subscribe"))
        told = [client.read()[2][0]["name"] for _ in wanted]
        expect(sorted(told) == wanted, "told of", len(set(told)))
        call("restart", names=["s0007"])
        said = []
        wait_until("s0007", lambda: said.append(client.read()[2][0]) or
                   said[-1]["state"] == "up")
        expect({item["name"] for item in said} == {"s0007"}, said)
        # Told of all, and of s0007 as it is now.
        expect(late.answer() == {}, "subscribe")
        last = {}
        while len(last) < len(wanted) or last["s0007"] != "up":
            item = late.read()[2][0]
            last[item["name"]] = item["state"]


@scenario
def waiters(name):
    """56 may wait or subscribe at a time; all others are served beside them."""
    def subscribe(client):
        client.send(pack("subscribe", names=[name]))
        return client.answer()
    with contextlib.ExitStack() as stack:
        for _ in range(56):
            subscribe(stack.enter_context(Client()))
        with Client() as client:
            for method in ("subscribe", "restart"):
                client.send(pack(method, 77, names=[name]))
                message = client.read()
                expect(message[1] == 77 and message[2] and
                       message[2]["code"] == "busy", method, message)
            client.call("status")
        with contextlib.ExitStack() as more:
            others = [more.enter_context(Client()) for _ in range(8)]
            for client in others:
                client.call("status")
            with Client() as client:
                said = client.refused("version")
                expect(said == "busy" or said.startswith("ok"), said)
    def subscribed():
        with Client() as client:
            with contextlib.suppress(Failure):
                return subscribe(client) == {}
    wait_until("a free place", subscribed)


BAD = [                 # [method, params]
    ["", []], ["Status", []], ["status\0", []], ["statu", []], ["start ", []],
    [b"status", []], [None, []], [7, []], [True, []], [["status"], []],
    [{}, []],
    ["status", None], ["status", {}], ["status", "x"], ["status", 0],
    ["status", ["a"]], ["status", [None]], ["status", [[]]], ["status", [1]],
    ["status", [{}, {}]], ["status", [{}, None]],
    ["status", [{"name": ["a"]}]], ["status", [{"names": None}]],
    ["status", [{"names": "a"}]], ["status", [{"names": b"a"}]],
    ["status", [{"names": {}}]], ["status", [{"names": 1}]],
    ["status", [{"names": [None]}]], ["status", [{"names": [1]}]],
    ["status", [{"names": [-1]}]], ["status", [{"names": [2 ** 64 - 1]}]],
    ["status", [{"names": [True]}]],
    ["status", [{"names": ["a", None]}]], ["status", [{"wait": True}]],
    ["status", [{"Names": ["a"]}]], ["status", [{b"names": ["a"]}]],
    ["status", [{0: 0}]], ["status", [{None: 0}]], ["status", [{True: 0}]],
    ["status", [{"names": ["a"], "": 0}]],
    ["version", [{"names": ["a"]}]], ["version", [{"": None}]],
    ["start", []], ["start", [{}]], ["stop", [{"wait": True}]],
    ["stop", [{"names": ["a"], "wait": 1}]],
    ["stop", [{"names": ["a"], "wait": None}]],
    ["stop", [{"names": ["a"], "wait": "true"}]],
    ["stop", [{"names": ["a"], "timeout_ms": True}]],
    ["stop", [{"names": ["a"], "timeout_ms": None}]],
    ["stop", [{"names": ["a"], "timeout_ms": "500"}]],
    ["stop", [{"names": ["a"], "timeout": 500}]],
    ["stop", [{"names": ["a"], "signal": 9}]],
    ["stop", [{"names": ["a", ""]}]], ["stop", [{"names": ["a", "b\0"]}]],
    ["stop", [{"names": ["a"] * 1025}]], ["stop", [{"names": ["a"]}, 1]],
    ["restart", [{"names": ["a", 1]}]], ["once", [{"names": "a"}]],
    ["reload", []], ["reload", [{"names": ["a"], "wait": False}]],
    ["reload", [{"names": ["a"], "signal": 1}]],
    ["signal", [{"names": ["a"]}]], ["signal", [{"signal": 9}]],
    *[["signal", [{"names": ["a"], "signal": value}]] for value in
      (0, 65, -1, -9, 2 ** 32 + 9, 2 ** 64 - 1, None, True, [], {}, "", "SIG",
       "NOPE", "KILLER", "kill\0", "SIGSIGKILL", "9 ")],
    ["rescan", [{"names": ["a"]}]], ["enable_insecure_key", [{"x": 1}]],
    ["shutdown", [None]], ["shutdown", [{"exit_code": 256}]],
    *[["shutdown", [{"exit_code": value}]] for value in
      (-1, 2 ** 32, 2 ** 64 - 1, "0", None, True, [])],
    *[["shutdown", [{"timeout_ms": value}]] for value in
      (-1, 3600001, 2 ** 64 - 1, "0", None, False)],
    ["shutdown", [{"exit_code": 0, "x": 0}]], ["shutdown", [{"names": ["a"]}]],
    ["stop", [{"names": ["a"], "only": 1}]],
    ["start", [{"names": ["a"], "only": True}]],
    ["wait", []], ["wait", [{"for": "ready"}]],
    *[["wait", [{"names": ["a"], "for": value}]] for value in
      ("", "up", "Ready", "ready ", b"ready\0", None, True, 0, [], {})],
    ["wait", [{"names": ["a"], "wait": True}]],
    ["subscribe", [{"names": 1}]], ["subscribe", [{"wait": False}]],
]


@scenario
def bad_requests():
    """Each is answered so, and the connection serves the next."""
    with Client() as client:
        for i, (method, params) in enumerate(BAD):
            client.send(msgpack.packb([0, i, method, params]))
            message = client.read()
            expect(message is not None and message[1] == i and message[2] and
                   message[2]["code"] == "bad_request", method, params, message)
        # What Python's dictionaries cannot say.
        name_twice = b"\x82\xa5names\x91\xa1a\xa5names\x91\xa1a"
        wait_twice = b"\x83\xa5names\x91\xa1a\xa4wait\xc2\xa4wait\xc2"
        for data in (b"\x94\x00\x09\xa6status\x91" + name_twice,
                     b"\x94\x00\x09\xa4stop\x91" + wait_twice,
                     b"\x94\x00\x09\xa4stop\x91\x81\x80\x80",
                     b"\x94\x00\x09\xa4stop\x91\x81\x90\x90",
                     b"\x95\x00\x09\xa7version\x90\xc0",
                     b"\x93\x00\x09\xa7version",
                     b"\x92\x00\x09"):
            client.send(data)
            message = client.read()
            expect(message is not None and message[1] == 9 and message[2] and
                   message[2]["code"] == "bad_request", data, message)
        client.call("version")


@scenario
def follow():
    """Changes of "a", and of what is called n... once there is one."""
    with Follower("a", "n*") as client:
        first = client.hears("a", lambda s: True)
        expect(first["name"] == "a" and first["state"] == "up", first)
        call("stop", names=["a"])
        client.hears("down", lambda s: s["state"] == "down" and
                     s["want"] == "down" and s["exit"] == {"signal": 15})
        call("start", names=["a"])
        now = client.hears("up", lambda s: s["state"] == "up")
        os.kill(now["pid"], signal.SIGKILL)
        client.hears("its end", lambda s: s["exit"] == {"signal": 9} and
                     s["state"] != "up")
        client.hears("its start", lambda s: s["state"] == "up" and
                     s["restarts"] == now["restarts"] + 1)
        call("restart", names=["other"])
        call("signal", names=["a"], signal="STOP")
        client.hears("STOP", lambda s: s["paused"])
        call("signal", names=["a"], signal="CONT")
        client.hears("CONT", lambda s: not s["paused"])
        os.rename("/etc/service/.new", "/etc/service/new")
        client.hears("the new one", lambda s: s["name"] == "new" and
                     s["state"] == "up")


@scenario
def follow_late():
    """A subscriber that reads nothing while much happens hears the last of it."""
    with Follower("a") as client, Client() as other:
        # For less than the time in which what is said must be read.
        while time.monotonic() - client.began < LIMIT / 2:
            for name in ("STOP", "CONT"):
                other.call("signal", names=["a"], signal=name)
        call("restart", names=["a"])
        last = service("a")
        heard = client.hears("the last", lambda s: s["pid"] == last["pid"] and
                             s["state"] == "up")
        expect(heard["restarts"] == last["restarts"], heard, last)


@scenario
def idle():
    """Without a request 5 s, between requests 30 s; a subscriber has no limit."""
    with Client() as mute, Client() as asked, Follower("a") as subscriber:
        asked.call("version")
        expect(mute.rest() == [], "said something")
        took = time.monotonic() - mute.began
        expect(LIMIT - 2 < took < LIMIT + 10, "without a request:", took, "s")
        expect(asked.rest(50) == [], "said something")
        took = time.monotonic() - asked.began
        expect(20 < took < 50, "between requests:", took, "s")
        call("restart", names=["a"])
        subscriber.hears("the restart", lambda s: s["restarts"] > 0)
