# A queue of tasks: a consumer for a number of tasks, a worker that is killed with tasks in hand.

source "$(dirname "$0")/common.sh"

name_queue tasks
tasks=$queue
attempt declared tool declare-queue -q "$tasks" -d
for number in 1 2 3 4 5; do tool publish -r "$tasks" -p -b "task $number"; done
attempt 'one is taken' tool get -q "$tasks"
attempt 'two are worked on' tool consume -q "$tasks" -c 2 -p 1 -- sh -c 'cat; echo'

# The worker's command kills the worker before it can ack.
tool consume -q "$tasks" -p 2 -- sh -c 'echo "in hand: $(cat)"; kill -KILL $PPID' 2>/dev/null
echo 'the worker is gone'

# The tools do not tell when the broker has taken its tasks back: a consumer waits for them.
attempt 'the rest, by another' sh -c "amqp-consume -u '$URL' -q '$tasks' -c 2 -- sh -c 'cat; echo' | sort"
attempt 'nothing is left' tool get -q "$tasks"
attempt deleted tool delete-queue -q "$tasks"
