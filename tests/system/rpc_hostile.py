"""What hostile.bats has clients do (see rpc.py)."""
import contextlib
import os
import random
import resource
import select
import signal
import socket
import struct
import threading
import time

from rpc import (AT_ONCE, LIMIT, PATIENCE, Client, Failure, Follower, NotThere,
                 answers, call, closed_at_once, expect, next_is_served, outcome,
                 pack, run, scenario, service, wait_until, wants)


HARMLESS = [            # and each method with all that it takes
    pack("version"), pack("status"), pack("status", names=["a", "b*", "nope"]),
    *[pack(method, names=["nope"], wait=True, timeout_ms=70000)
      for method in ("start", "stop", "restart", "once")],
    pack("reload", names=["nope"]),
    pack("signal", names=["nope", b"\xff\xfe"], signal="SIGHUP"),
    pack("signal", 2 ** 32 - 1, names=["nope"], signal=15),
    pack("rescan"),
]
VALID = HARMLESS + [
    pack("stop", names=["a", "b"], wait=False, timeout_ms=1000),
    pack("enable_insecure_key"), pack("shutdown"),
    pack("shutdown", exit_code=77, timeout_ms=1000),
    pack("subscribe", names=["a"]),
]


@scenario
def garbage(seed):
    """Noise, and requests with some bytes changed: an answer, or the end."""
    rng = random.Random(int(seed))
    for _ in range(1500):
        if rng.random() < 0.5:
            data = rng.randbytes(rng.randrange(1, 400))
        else:
            data = bytearray(rng.choice(HARMLESS))
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.choice(
                    (rng.randrange(256), 0xc1, 0xdd, 0xdf, 0xff, 0x90, 0))
            data = bytes(data)
        answers(data, LIMIT + 5)
    next_is_served()


@scenario
def truncated():
    """What is cut short is not done, and not answered."""
    for request in VALID:
        for length in range(len(request)):
            said = answers(request[:length], AT_ONCE)
            expect(said == [], request[:length], "is answered:", said)
    next_is_served()


def closes_late(clients, within=LIMIT + 10):
    for client in clients:
        expect(client.rest(within) == [], "answered")
        took = time.monotonic() - client.began
        expect(took < within, "closed after", took, "s")
    return took


@scenario
def truncated_and_left():
    """The same, but then nothing more comes: closed in time, not at once."""
    cuts = [request[:length] for request in VALID
            for length in range(1, len(request))]
    random.Random(1).shuffle(cuts)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client()) for _ in range(50)]
        for client, cut in zip(clients, cuts):
            client.send(cut)
        next_is_served()
        took = closes_late(clients)
        expect(took > LIMIT - 2, "closed after", took, "s already")


@scenario
def begun_behind_another():
    """Half a request in the same write as a whole one has no more time."""
    with Client() as client:
        client.send(pack("version") + pack("status")[:5])
        client.answer()
        closes_late([client])


@scenario
def lengths():
    """5 bytes that declare 4 GiB, as a message and inside of one."""
    before = b"\x94\x00\x01"
    places = (b"", b"\x94", b"\x94\x00", before, before + b"\xa6status",
              before + b"\xa6status\x91", before + b"\xa6status\x91\x81",
              before + b"\xa6status\x91\x81\xa5names",
              before + b"\xa6status\x91\x81\xa5names\x91",
              before + b"\xa6status\x91\x81\xa5names\xdc\x04\x00")
    huge = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00",
            b"\x00\x01\x00\x01", b"\x55\x55\x55\x56", b"\x10\x00\x00\x00")
    for start in places:
        for first in b"\xdd\xdf\xdb\xc6\xc9":
            for length in huge:
                closed_at_once(start + bytes([first]) + length,
                               (start, first, length))
        # The number 2**64 - 1 is one, and no length.
        said = answers(start + b"\xcf" + b"\xff" * 8, AT_ONCE)
        expect(len(said) < 2, said)
    # 65,535 there need more than a request has, too; 0 and 1 are just empty.
    for first in b"\xdc\xde":
        closed_at_once(before + bytes([first]) + b"\xff\xff", first)
    for data in (b"", b"\x90", b"\x80", b"\xa0", b"\xc4\x00", b"\xdd\0\0\0\0",
                 b"\xdf\0\0\0\0", b"\xdb\0\0\0\0", b"\xc6\0\0\0\0",
                 b"\x91\x00", b"\x91\x90", b"\xdd\0\0\0\x01\x00"):
        said = answers(data, AT_ONCE)
        expect(len(said) < 2, data, said)
    next_is_served()


@scenario
def nesting():
    expect(answers(pack("status", names=["a"]))[0][2] is None, "4 are allowed")
    start = b"\x94\x00\x01\xa6status"
    for data in (start + b"\x91\x81\xa5names\x91\x90",
                 start + b"\x91\x81\xa5names\x91\x80",
                 start + b"\x91\x81\x91\x91\x90",
                 start + b"\x91\x91\x91\x91"):
        closed_at_once(data + b"\xa1a", data)
    for first in (b"\x91", b"\x81", b"\xdc\x00\x01", b"\xde\x00\x01",
                  b"\xdd\0\0\0\x01", b"\xdf\0\0\0\x01", b"\x9f", b"\x8f"):
        for depth in (5, 33, 100000):
            closed_at_once(first * depth, (first, depth))
            closed_at_once(start + first * depth, (first, depth))
            closed_at_once(b"\x94\x00" + first * depth, (first, depth))
    next_is_served()


@scenario
def types():
    """What is not MessagePack, or not of ours, at every place of a request."""
    bad = [b"\xc1", b"\xca" + bytes(4), b"\xcb" + bytes(8),
           *[bytes([0xd4 + i]) + b"\x05" + bytes(2 ** i) for i in range(5)],
           b"\xc7\x03\x05abc", b"\xc8\x00\x03\x05abc", b"\xc9\0\0\0\x03\x05abc",
           b"\xc7\x00\x05", b"\xd6\xff" + bytes(4), b"\xd7\xff" + bytes(8)]
    parts = [b"\x94", b"\x00", b"\x01", b"\xa4stop", b"\x91", b"\x83",
             b"\xa5names", b"\x91", b"\xa1a", b"\xa4wait", b"\xc3",
             b"\xaatimeout_ms", b"\x05"]
    for at in range(len(parts)):
        for item in bad:
            data = b"".join(parts[:at] + [item] + parts[at + 1:])
            closed_at_once(data, (at, item))
    # The first element and msgid, where what is wrong has no number to tell of.
    for item in (b"\xc0", b"\xff", b"\xcf" + b"\xff" * 8, b"\xc3", b"\xa1x",
                 b"\xd3" + b"\xff" * 8, b"\xcf\0\0\0\x01\0\0\0\0", b"\x90"):
        for at in (1, 2):
            data = b"".join(parts[:at] + [item] + parts[at + 1:])
            said = answers(data, AT_ONCE, at == 2)
            expect(said == [] or at == 2 and len(said) == 1 and said[0][2] and
                   said[0][2]["code"] == "bad_request", data, said)
    for item in (b"\x01", b"\x02", b"\xcc\xff"):
        closed_at_once(b"\x94" + item + b"\x01\xa7version\x90", item)
    for data in (b"\xc0", b"\x00", b"\xa7version", b"\x80", b"\xc2"):
        said = answers(data, AT_ONCE)
        expect(said == [], data, said)
    next_is_served()


@scenario
def trailing():
    with Client() as client:
        client.send(pack("version", 1) + pack("status", 2))
        client.answer(1)
        client.answer(2)
        client.send(pack("version", 3) + b"\xc1")
        client.answer(3)
        expect(client.rest(AT_ONCE) == [], "not closed")
    with Client() as client:
        client.send(b"".join(pack("version", i) for i in range(200)))
        for i in range(200):
            client.answer(i)
    # Half of the second one now, half later; and byte by byte.
    with Client() as client:
        data = pack("status", 1) + pack("status", 2, names=["a"])
        client.send(data[:20])
        client.answer(1)
        client.send(data[20:])
        client.answer(2)
        for byte in pack("status", 3, names=["a"]):
            client.send(bytes([byte]))
        client.answer(3)


@scenario
def half_closed():
    """Who has nothing more to say is answered all the same."""
    for request in HARMLESS:
        expect(len(answers(request)) == 1, request)
    said = answers(b"".join(pack("status", i) for i in range(50)))
    expect([message[1] for message in said] == list(range(50)), said)
    with Client() as client:
        client.send(pack("restart", names=["slow"]))
        client.half_close()
        expect(outcome(client.answer()) == {"slow": "ok"}, "slow")
        expect(client.rest(AT_ONCE) == [], "not closed")


def killed(act):
    """Does it in another process, which is then killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            held = act()        # the connection, up to the end
            os.write(writer, b".")
            signal.pause()
        finally:
            os._exit(held is None)
    os.close(writer)
    expect(os.read(reader, 1) == b".", "the child failed")
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@scenario
def clients_are_killed():
    def sends(data):
        def act():
            client = Client()
            client.send(data)
            return client
        return act
    for i in range(30):
        request = VALID[i % len(VALID)]
        killed(sends(request[:len(request) // 2]))
        killed(sends(pack("status") * 500))
        killed(sends(pack("restart", names=["slow"])))
        killed(sends(pack("subscribe")))
        killed(sends(b""))
    wait_until("slow to be up", lambda: service("slow")["state"] == "up")
    next_is_served()


@scenario
def thousand():
    """At once: an answer each, or "busy"; who was answered stays."""
    threading.stack_size(256 * 1024)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    ready, over = threading.Barrier(1000), threading.Event()
    said = []

    def client():
        ready.wait()
        try:
            with Client() as one:
                try:
                    one.call("status")
                    said.append("ok")
                    over.wait(PATIENCE)
                except Failure as failure:
                    if failure.code == "busy":
                        expect(one.rest(AT_ONCE) == [], "not closed")
                    said.append(failure.code)
        except Exception as error:
            said.append(repr(error))

    threads = [threading.Thread(target=client) for _ in range(1000)]
    for thread in threads:
        thread.start()
    wait_until("1,000 answers", lambda: len(said) == 1000, 2 * PATIENCE)
    over.set()
    for thread in threads:
        thread.join()
    expect(set(said) == {"ok", "busy"}, {s: said.count(s) for s in set(said)})


def gets_through(within=10):
    """Somebody who tries again, as initctl does."""
    end = time.monotonic() + within
    while True:
        try:
            return call("status")
        except Failure as failure:
            expect(failure.code == "busy", failure)
            expect(time.monotonic() < end, "no place in", within, "s")
        time.sleep(0.1)


@scenario
def slow_clients():
    """64 that send a byte a second; a client that sends all of it gets through."""
    request = pack("status", names=["x" * 100])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client()) for _ in range(64)]
        open_ones, at = list(clients), 0
        while open_ones:
            for client in list(open_ones):
                with contextlib.suppress(Failure):
                    if not client.send(request[at:at + 1]) or \
                            client.read(0) is None:
                        took = time.monotonic() - client.began
                        expect(took < LIMIT + 10, "closed after", took, "s")
                        open_ones.remove(client)
            expect(at < LIMIT + 10, len(open_ones), "are still there")
            at += 1
            began = time.monotonic()
            gets_through()
            time.sleep(max(0, began + 1 - time.monotonic()))
    next_is_served()


@scenario
def reads_nothing():
    """100,000 requests, no answer read: closed, and others do not notice."""
    left = pack("status") * 100000
    with Client() as client:
        client.socket.setblocking(False)
        end = time.monotonic() + LIMIT + 15
        while left:
            expect(time.monotonic() < end, "is not dropped;", len(left), "left")
            select.select([], [client.socket], [], 0.5)
            try:
                left = left[client.socket.send(left[:65536]):]
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                break
            with Client() as other:
                other.call("version", AT_ONCE)
        expect(left, "100,000 requests were read")


@scenario
def subscriber_reads_nothing():
    with Follower("*") as client, Client() as other:
        def dropped():
            for i in range(500):
                other.call("signal", names=["*"], signal=("STOP", "CONT")[i % 2])
            poll = select.poll()
            poll.register(client.socket, 0)
            return bool(poll.poll(0))
        wait_until("the end of the subscriber", dropped, 40)
        other.call("signal", names=["*"], signal="CONT")


@scenario
def descriptors():
    """253 that nobody asked for with every piece of a request."""
    with open("/dev/null", "rb") as file:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                   struct.pack("253i", *[file.fileno()] * 253))]
        request = pack("status", names=["a"])
        for _ in range(20):
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(Client()) for _ in range(10)]
                for client in clients:
                    for piece in (request[:1], request[1:9], request[9:]):
                        with contextlib.suppress(BrokenPipeError):
                            client.socket.sendmsg([piece], rights)
                for client in clients:
                    said = client.read()
                    expect(said is None or said[2] is None, said)
    next_is_served()


NAMES = ["../x", ".", "..", "/", "a/b", "a/", "/etc/service/a", "./a", "-rf",
         "%s%n%s%n", "a\x1b[2J", "\x1b]0;title\x07", "a\n*** fake", "a\r",
         "\u202eexe.nur", "a ", " a", "A", "\x7f", b"\xff\xfe", b"\xed\xa0\x80",
         b"\xc0\xaf", "$(touch /tmp/made)", "`id`", "a;id", "a" * 103, "~", "\\"]
NO_NAMES = ["", "\0", "a\0", "\0a", "a" * 104, "a" * 4096, "../" * 100]


@scenario
def hostile_names():
    """What no service is called, or can be."""
    with Client() as client:
        for name in NAMES:
            for method in ("start", "stop", "restart", "once", "reload"):
                expect(outcome(client.call(method, names=[name])) ==
                       {name: "unknown_service"}, method, name)
            expect(outcome(client.call("signal", names=[name], signal=9)) ==
                   {name: "unknown_service"}, name)
            expect(client.call("status", names=[name])["unknown"] == [name],
                   name)
        for name in NO_NAMES:
            for method in ("start", "stop", "status", "reload"):
                expect(client.refused(method, names=[name]) == "bad_request",
                       method, name)
                expect(client.refused(method, names=["a", name]) ==
                       "bad_request", method, name)
        # Patterns that take long, or match what they must not.
        for name in ("*a" * 51, "[" * 103, "?" * 103, "[!a-z]" * 17, "../*",
                     "[[:nope:]]", "[a-", "*\\", "\\*", ".*", "/*", "**/x"):
            expect(client.call("status", names=[name])["services"] == [], name)
        client.call("status", names=["*a" * 51] * 600)


@scenario
def refused(times):
    """Connects, is told "denied", and nothing else."""
    for _ in range(int(times)):
        with Client() as client:
            said = client.rest(AT_ONCE)
            expect(len(said) == 1 and said[0][1] == 0 and said[0][2] and
                   said[0][2]["code"] == "denied", said)


@scenario
def gives_up_root():
    """Who a client is was decided when it connected."""
    with Client() as client:
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        expect(outcome(client.call("restart", names=["slow"])) ==
               {"slow": "ok"}, "restart")
    with Client() as client:
        expect(client.refused("version") == "denied", "connects anew")


@scenario
def reader():
    """A member of the socket's group looks, and changes nothing."""
    with Client() as client:
        client.call("version")
        expect(client.call("status", names=["a"])["services"], "no services")
        for method in ("start", "stop", "restart", "once", "reload"):
            expect(client.refused(method, names=["a"]) == "denied", method)
        expect(client.refused("signal", names=["a"], signal=9) == "denied",
               "signal")
        for method in ("rescan", "enable_insecure_key", "shutdown"):
            expect(client.refused(method) == "denied", method)
        client.call("version")
    with Follower("a") as client:
        client.hears("a", lambda s: True)


@scenario
def stopped_supervisor(name):
    """The gate runs, the supervisor does not."""
    with Client() as client:
        for _ in range(20):
            client.call("status", AT_ONCE)
        said = outcome(client.call("restart", names=[name], timeout_ms=500))
        expect(said[name] in ("timeout", "unavailable"), said)
        client.call("status", AT_ONCE)
        client.send(pack("stop", names=[name], timeout_ms=60000))
        next_is_served()
    call("status", names=[name])


def asks_again(method, **params):
    """As initctl does: an answer, in 10 s at most."""
    end = time.monotonic() + 10
    while True:
        try:
            return call(method, **params)
        except Failure as failure:
            expect(failure.code in ("busy", "unavailable", "closed"), failure)
        except (NotThere, ConnectionResetError, BrokenPipeError):
            pass
        expect(time.monotonic() < end, "no answer to", method)
        time.sleep(0.01)


def reads(asked):
    if asked % 2:
        asks_again("version")
        return
    result = asks_again("status", names=["a"])
    expect(result["services"][0]["state"] == "up", result)


def changes(asked):
    method, name = ("start", "a") if asked % 2 else ("restart", "slow")
    said = outcome(asks_again(method, names=[name]))
    expect(said[name] in ("ok", "unavailable"), method, said)


@scenario
def crowd():
    """Five clients ask until there is /tmp/go."""
    def ask(what):
        asked = 0
        while not os.path.exists("/tmp/go"):
            what(asked)
            asked += 1
        expect(asked > 10, "asked", asked, "times only")
    children = []
    for what in (reads, reads, reads, changes, changes):
        child = os.fork()
        if child == 0:
            run(lambda: ask(what))
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    expect(not any(codes), "exit codes", codes)


@scenario
def loses_supervisor(pid, name):
    """In the middle of a wait: what was begun goes on, and the client is told."""
    with Client() as client:
        client.send(pack("stop", names=[name]))
        wants(name, "down")
        os.kill(int(pid), signal.SIGKILL)
        open("/tmp/end-" + name, "w").close()
        try:
            said = outcome(client.answer())[name]
        except Failure as failure:
            said = failure.code
        expect(said in ("ok", "unavailable"), said)
    wait_until("the end of " + name, lambda: asks_again(
        "status", names=[name])["services"][0]["state"] == "down")


@scenario
def loses_gate(pid):
    """In the middle of a wait, and while nothing is asked."""
    with Client() as client, Client() as second, Follower("b") as third:
        open("/tmp/hold", "w").close()      # slow does not end meanwhile
        client.send(pack("stop", names=["slow"]))
        wants("slow", "down")
        os.kill(int(pid), signal.SIGKILL)
        for one in (client, second):
            expect(one.rest() == [], "answered by nobody")
        third.rest()
        os.unlink("/tmp/hold")
    asks_again("version")
    wait_until("the end of slow", lambda: service("slow")["state"] == "down")
    call("start", names=["slow"])


@scenario
def stale():
    """Leaves a socket that nobody listens to."""
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(os.environ["INITCTL_SOCKET"])
