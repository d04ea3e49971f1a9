/** What cases expect of a broker. A failure says what was expected and what came. */
import { inspect, isDeepStrictEqual } from 'node:util';
import type { RawClient } from './wire/raw-client.js';
import { type Fields, idsOf } from './wire/raw-methods.js';

export class UnmetExpectation extends Error {
  constructor(what: string, expected: unknown, actual: unknown) {
    super(`${what}: expected ${show(expected)}, got ${show(actual)}`);
    this.name = 'UnmetExpectation';
  }
}

export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) throw new UnmetExpectation(what, expected, actual);
}

export function expectOneOf(what: string, actual: unknown, expected: readonly unknown[]): void {
  if (expected.some((one) => isDeepStrictEqual(actual, one))) return;
  throw new UnmetExpectation(what, expected.length === 1 ? expected[0] : expected, actual);
}

/** Looks only at the fields that are named. */
export function expectFields(what: string, actual: Fields, expected: Fields): void {
  const named = Object.keys(expected).map((key) => [key, actual[key as keyof Fields]]);
  expectEqual(what, Object.fromEntries(named), expected);
}

export function expectMatch(what: string, actual: string | undefined, pattern: RegExp): void {
  if (actual === undefined || !pattern.test(actual)) throw new UnmetExpectation(what, pattern, actual);
}

/** A close as a broker sends it. `cause` is the method that caused it, undefined for none. */
export function closeOf(cause: string | undefined, replyCode: number, replyText: string): Fields {
  const ids = cause === undefined ? { classId: 0, methodId: 0 } : idsOf(cause);
  return { replyCode, replyText, ...ids };
}

/** The channel ends with that close, and its number is good for another. */
export async function expectChannelClose(
  client: RawClient,
  cause: string,
  replyCode: number,
  replyText: string,
  channel = 1,
): Promise<void> {
  const close = await client.method(channel, 'channel.close');
  client.send(channel, 'channel.close-ok');
  expectEqual('channel.close', close, closeOf(cause, replyCode, replyText));
  await client.openChannel(channel);
}

/** A method on channel 1 is refused by closing the channel. */
export async function expectRefusal(
  client: RawClient,
  method: string,
  fields: Fields,
  replyCode: number,
  replyText: string,
): Promise<void> {
  client.send(1, method, fields);
  await expectChannelClose(client, method, replyCode, replyText);
}

/** The connection ends with that close, and TCP with it. */
export async function expectConnectionClose(
  client: RawClient,
  cause: string | undefined,
  replyCode: number,
  replyText: string,
): Promise<void> {
  const close = await client.method(0, 'connection.close');
  client.send(0, 'connection.close-ok');
  expectEqual('connection.close', close, closeOf(cause, replyCode, replyText));
  await client.closed();
}

/**
 * Nothing has come on the channel that was not asked for, when all is handled that was sent on it. Of what a queue may
 * still be sending that says nothing: see `CaseContext.expectNothingFrom`.
 */
export async function expectSilence(client: RawClient, channel = 1): Promise<void> {
  await client.sync(channel);
  const frames = client
    .pendingFrames(channel)
    .map(({ type, payload }) => `${type}:${payload.toString('hex')}`);
  expectEqual(`frames on channel ${channel}`, frames, []);
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 500 });
}
