"""Tasks and their results over the rpc:// backend: failures, retries, groups, chains, delays, revoking, control."""

import sys
import time

from celery import chain, group
from celery.exceptions import TaskRevokedError
from common import NAME, Worker, application, clean_up, say, work

app = application(task_track_started=True)
LIMIT_SECONDS = 20


@app.task(name="add")
def add(a, b):
    return a + b


@app.task(name="describe")
def describe(*values, **named):
    return {"values": values, "named": named}


@app.task(name="fail")
def fail(why):
    raise ValueError(why)


@app.task(name="flaky", bind=True, max_retries=3)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return "after %d retries, redelivered %s" % (
        self.request.retries,
        self.request.delivery_info.get("redelivered"),
    )


@app.task(name="where", bind=True)
def where(self):
    info = self.request.delivery_info
    return [info["exchange"], info["routing_key"], info["priority"]]


def get(result):
    return result.get(timeout=LIMIT_SECONDS)


def main():
    worker = Worker("--pool=prefork", "--concurrency=2", "--hostname=only@" + NAME)
    say("add:", get(add.delay(2, 3)))
    say("describe:", get(describe.delay("grüße", 1.5, None, [1, {"k": "v"}], flag=True)))
    try:
        get(fail.delay("on purpose"))
    except ValueError as error:
        say("fail:", repr(error))
    say("flaky:", get(flaky.delay()))
    say("where:", get(where.apply_async(priority=7)))
    say("group:", group(add.s(number, number) for number in range(50))().get(timeout=LIMIT_SECONDS))
    say("chain:", get(chain(add.s(1, 1), add.s(10), add.s(100))()))

    start = time.monotonic()
    delayed = get(add.apply_async((1, 1), countdown=0.3))
    say("delayed: %d, in time %s" % (delayed, time.monotonic() - start >= 0.3))
    revoked = add.apply_async((1, 1), countdown=1)
    app.control.revoke(revoked.id, reply=True, limit=1, timeout=LIMIT_SECONDS)
    try:
        get(revoked)
    except TaskRevokedError as error:
        say("revoked:", error)
    result = add.delay(4, 4)
    get(result)
    say("state: %s, ready %s" % (result.state, result.ready()))

    say("ping:", app.control.ping(timeout=LIMIT_SECONDS, limit=1))
    inspect = app.control.inspect(timeout=LIMIT_SECONDS, limit=1)
    say("registered:", sorted(name for name in inspect.registered().popitem()[1] if "." not in name))
    say("queues:", [queue["name"] for queue in inspect.active_queues().popitem()[1]])
    worker.stop()
    say("stopped:", worker.process.returncode)


if sys.argv[3:4] == ["worker"]:
    work(app)
else:
    try:
        main()
    finally:
        clean_up(app)
