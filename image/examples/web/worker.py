"""Does the jobs of app.py, one after the other; TERM lets it end the one it is at."""
import json
import signal
import sys

import redis

store = redis.Redis(unix_socket_path="/run/redis/socket")
stopping = False


def stop(signo, frame):
    global stopping
    stopping = True
    if waiting:
        sys.exit(0)


waiting = False
signal.signal(signal.SIGTERM, stop)
while not stopping:
    waiting = True
    _, job = store.blpop("jobs")
    waiting = False
    job = json.loads(job)
    store.set(f"result:{job['number']}", job["text"].upper())
