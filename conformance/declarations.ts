/** Makes the cases about what queue.declare refuses: arguments that are wrong, and those that are not as they were. */
import type { Case, DefineCase } from './case.js';
import { expectRefusal } from './expect.js';
import type { Table, TableEntry } from './wire/raw-codec.js';
import type { Fields } from './wire/raw-methods.js';

/** An argument, and the text that refuses it; `$` stands for the queue in its virtual host. */
export type WrongArgument = readonly [name: string, argument: TableEntry, text: string];
/** What a queue was declared with, what it is declared with again, and what the text says of the two. */
export type ChangedArguments = readonly [name: string, before: Table, after: Table, text: string];

const EXCLUSIVE: Fields = { exclusive: true };

/** A case for each: the refusal, and that nothing was declared. Arguments among the properties come first. */
export function refusedArguments(
  define: DefineCase,
  wrong: readonly WrongArgument[],
  properties: Fields = EXCLUSIVE,
): Case[] {
  return wrong.map(([name, argument, text]) =>
    define(
      `wrong-${name}`,
      `a queue with ${shown([argument])} is refused`,
      'An argument of queue.declare with a value it cannot have is the channel error 406, and no queue is declared.',
      async (t) => {
        const client = await t.openChannel();
        const queue = t.name('q');
        const full = `PRECONDITION_FAILED - ${text.replace('$', t.inVhost('queue', queue))}`;
        const fields = { ...properties, queue, arguments: [...(properties.arguments ?? []), argument] };
        await expectRefusal(client, 'queue.declare', fields, 406, full);
        await expectRefusal(client, 'queue.declare', { queue, passive: true }, 404, t.noQueue(queue));
      },
    ),
  );
}

/** A case for each: declared again with what is equal nothing happens, with what is not it is refused. */
export function changedArguments(
  define: DefineCase,
  changed: readonly ChangedArguments[],
  properties: Fields = EXCLUSIVE,
): Case[] {
  return changed.map(([name, before, after, text]) =>
    define(
      `changed-${name}`,
      `a queue with ${shown(before)} cannot be declared again with ${shown(after)}`,
      'Arguments that RabbitMQ knows are compared when a queue is declared again: the channel error 406.',
      async (t) => {
        const client = await t.openChannel();
        const queue = t.name('q');
        const fields = { ...properties, queue, arguments: before };
        await client.call(1, 'queue.declare', fields);
        await client.call(1, 'queue.declare', fields);
        const full = `PRECONDITION_FAILED - ${text.replace('$', t.inVhost('queue', queue))}`;
        await expectRefusal(client, 'queue.declare', { ...fields, arguments: after }, 406, full);
      },
    ),
  );
}

function shown(args: Table): string {
  return args.length === 0
    ? 'no arguments'
    : args.map(([key, tag, value]) => `${key} ${tag}:${value}`).join(', ');
}
