"""What the pika programs share. Each is started as `program.py URL NAME` and prints one JSON object per line."""

import json
import signal
import sys

import pika

# The whole program is bounded, including connecting and closing: a broker that never answers ends it with
# exit status 1 and a sentence, below the time limit of the test that runs it.
LIMIT_SECONDS = 15


def start():
    """Returns the address of the broker and a name that no other test uses for its queues and exchanges."""
    signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(LIMIT_SECONDS)
    return sys.argv[1], sys.argv[2]


def connect(url):
    return pika.BlockingConnection(pika.URLParameters(url))


def emit(event, **values):
    """Reports something to the test, at once: the test may be waiting for it."""
    print(json.dumps({"event": event, **values}), flush=True)


def _too_slow(_signal, _frame):
    sys.exit("the program was not done after %d seconds" % LIMIT_SECONDS)
