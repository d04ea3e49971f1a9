"""A worker that is killed with a task in hand: with late acks the task comes back, marked as redelivered."""

import sys
import time

from common import NAME, Worker, application, clean_up, say, work

app = application(task_acks_late=True, worker_prefetch_multiplier=1)
LIMIT_SECONDS = 20


@app.task(name="long", bind=True)
def long_task(self, number):
    redelivered = self.request.delivery_info["redelivered"]
    say("task %d, redelivered %s" % (number, redelivered))
    if number == 1 and not redelivered:
        time.sleep(LIMIT_SECONDS)
    return [number, redelivered]


def main():
    worker = Worker("--pool=solo", "--concurrency=1", "--hostname=first@" + NAME)
    results = [long_task.delay(number) for number in (1, 2, 3)]
    say("first worker:", worker.next_line())
    worker.kill()
    second = Worker("--pool=solo", "--concurrency=1", "--hostname=second@" + NAME)
    say("results:", [result.get(timeout=LIMIT_SECONDS) for result in results])
    second.stop()


if sys.argv[3:4] == ["worker"]:
    work(app)
else:
    try:
        main()
    finally:
        clean_up(app)
