# How the tools tell what the broker refuses.

source "$(dirname "$0")/common.sh"

attempt 'get' tool get -q "$NAME.missing"
attempt 'consume' tool consume -q "$NAME.missing" -c 1 cat
attempt 'delete what is missing' tool delete-queue -q "$NAME.missing"
attempt 'reserved name' tool declare-queue -q amq.mine
name_queue there
tool declare-queue -q "$queue" -d >/dev/null
attempt 'declared otherwise' tool declare-queue -q "$queue"
there=$queue
name_queue unbound
attempt 'bind to what is missing' tool consume -q "$queue" -e "$NAME.absent" -r key -c 1 cat
tool publish -r "$there" -b kept
attempt 'not empty' tool delete-queue -q "$there" -e
attempt 'got' tool get -q "$there"
named=$(tool declare-queue -q '')
attempt "$named, named by the broker, deleted" tool delete-queue -q "$named"

host=${URL#*@}
userinfo=${URL#amqp://}
user=${userinfo%%:*}
attempt 'wrong password' amqp-get -u "amqp://$user:wrong@$host" -q "$there"
attempt 'unknown virtual host' amqp-get -u "$URL/nowhere" -q "$there"
