/**
 * What is done to a broker, as plain data: it can be printed, left out and made simpler.
 *
 * `~` in a name stands for what keeps the names of this sequence apart from all others, `%gen1` for the first name
 * that the broker made up for a queue.
 */
import type { Publish } from '../wire/raw-client.js';
import type { Fields } from '../wire/raw-methods.js';

export const CONNECTIONS = ['A', 'B'] as const;
export type ConnectionName = (typeof CONNECTIONS)[number];

/** Opened when it is first used, and again when it is used after it was closed. */
export interface ChannelName {
  readonly connection: ConnectionName;
  readonly channel: number;
}

export type SettleMethod = 'basic.ack' | 'basic.nack' | 'basic.reject';

export type Act =
  /** Any method. */
  | { readonly kind: 'call'; readonly method: string; readonly fields: Fields }
  | { readonly kind: 'publish'; readonly message: Publish }
  /** Settles one of the deliveries that the channel has outstanding, and with `multiple` those before it. */
  | {
      readonly kind: 'settle';
      readonly method: SettleMethod;
      readonly pick: number;
      readonly multiple: boolean;
      readonly requeue: boolean;
    }
  /** Takes all that is ready. */
  | { readonly kind: 'drain'; readonly queue: string };

export interface Operation extends ChannelName {
  readonly act: Act;
  /** The next one on the same channel is sent with it, before anything is waited for. */
  readonly isJoined?: boolean;
}

/** Methods that have no reply even without no-wait. */
const REPLYLESS = new Set([
  'basic.ack',
  'basic.nack',
  'basic.reject',
  'basic.recover-async',
  'basic.cancel-ok',
]);

export function expectsReply(method: string, fields: Fields): boolean {
  return fields.noWait !== true && !REPLYLESS.has(method);
}

/** Cuts a sequence into what is sent at once. */
export function groupsOf(operations: readonly Operation[]): Operation[][] {
  const groups: Operation[][] = [];
  let previous: Operation | undefined;
  for (const operation of operations) {
    const follows =
      previous?.isJoined === true &&
      previous.connection === operation.connection &&
      previous.channel === operation.channel;
    if (follows) groups.at(-1)!.push(operation);
    else groups.push([operation]);
    previous = operation;
  }
  return groups;
}

/** One line for people. */
export function describeOperation({ connection, channel, act, isJoined }: Operation): string {
  const where = `${connection}${channel}`;
  const end = isJoined === true ? ' +' : '';
  switch (act.kind) {
    case 'call':
      return `${where} ${act.method} ${JSON.stringify(act.fields)}${end}`;
    case 'publish':
      return `${where} basic.publish ${JSON.stringify(act.message)}${end}`;
    case 'settle': {
      const { method, pick, multiple, requeue } = act;
      const flags = `${multiple ? ' multiple' : ''}${requeue ? ' requeue' : ''}`;
      return `${where} ${method} of outstanding delivery ${pick}${flags}${end}`;
    }
    case 'drain':
      return `${where} basic.get of all that is ready in ${act.queue}${end}`;
  }
}
