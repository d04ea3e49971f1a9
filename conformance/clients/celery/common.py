"""What the Celery programs share. Each is started as `program.py URL NAME`, is its own application, and starts itself
again with `worker` as a third argument for its workers. It prints a line for whatever it sees."""

import atexit
import os
import signal
import subprocess
import sys

from celery import Celery
from celery.signals import worker_ready
from kombu import Exchange, Queue

URL, NAME = sys.argv[1:3]
TASKS = NAME + ".tasks"
# Celery's own names, on all of which other applications of the broker might listen.
SHARED = {
    "event_exchange": NAME + ".events",
    "event_queue_prefix": NAME + ".events",
    "control_exchange": NAME + ".control",
}


def application(**settings):
    app = Celery(NAME, broker=URL, backend="rpc://")
    app.conf.update(
        task_queues=[Queue(TASKS, Exchange(TASKS, "direct"), routing_key=TASKS, max_priority=10)],
        task_default_queue=TASKS,
        task_default_exchange=TASKS,
        task_default_routing_key=TASKS,
        broker_connection_retry_on_startup=True,
        worker_proc_alive_timeout=20,
        # What tasks print is what the programs wait for.
        worker_redirect_stdouts=False,
        **SHARED,
        **settings,
    )
    return app


def say(*words):
    print(*words, flush=True)


class Worker:
    """A worker of the program, ready for tasks, in a process group of its own."""

    def __init__(self, *more):
        command = [sys.executable, "-B", sys.argv[0], URL, NAME, "worker", *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        # It prints its banner first.
        line = None
        while line != "ready":
            line = self.process.stdout.readline()
            if line == "":
                raise RuntimeError("the worker did not start")
            line = line.rstrip()
        atexit.register(self.kill)

    def next_line(self):
        return self.process.stdout.readline().rstrip()

    def stop(self):
        """As an operator does: it finishes what it does, and goes."""
        self.process.terminate()
        self.process.wait()

    def kill(self):
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def work(app):
    """Is a worker until it is told to stop."""

    @worker_ready.connect(weak=False)
    def on_ready(**_values):
        say("ready")

    app.worker_main(["worker", "--loglevel=ERROR", *sys.argv[4:]])


def clean_up(app):
    with app.connection_for_write() as connection:
        channel = connection.channel()
        channel.queue_delete(TASKS)
        for name in (TASKS, NAME + ".events", NAME + ".control.pidbox", "reply." + NAME + ".control.pidbox"):
            channel.exchange_delete(name)
