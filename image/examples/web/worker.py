"""Does the jobs of app.py, one after the other; TERM lets it end the one it is at."""
import json
import signal

import redis

store = redis.Redis(unix_socket_path="/run/redis/socket")
stopping = False


def stop(signo, frame):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
while not stopping:
    # A job that it has taken is done, so it is not ended while it waits for one.
    taken = store.blpop("jobs", timeout=1)
    if taken is None:
        continue
    job = json.loads(taken[1])
    store.set(f"result:{job['number']}", job["text"].upper())
