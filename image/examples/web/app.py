"""Counts its visitors, and takes jobs for the worker."""
import json
import os

import redis
from flask import Flask, abort, request

app = Flask(__name__)
store = redis.Redis(unix_socket_path="/run/redis/socket")


@app.get("/")
def index():
    return {"greeting": os.environ["GREETING"], "visits": store.incr("visits")}


@app.post("/jobs")
def add_job():
    number = store.incr("last_job")
    store.rpush("jobs", json.dumps({"number": number, "text": request.get_data(as_text=True)}))
    return {"job": number}, 202


@app.get("/jobs/<int:number>")
def job(number):
    result = store.get(f"result:{number}")
    if result is None:
        abort(404)
    return {"job": number, "result": result.decode()}
