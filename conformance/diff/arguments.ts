/** Random arguments and properties: those that mean something, in any integer type, and a few that are wrong. */
import type { Properties, Table, TableEntry } from '../wire/raw-codec.js';
import type { Dice } from './dice.js';

const INTEGER_TAGS = ['I', 'l', 's', 'b', 'B', 'u', 'i'] as const;
/** Longer than any run: what has it never expires in one. */
const LONG_MS = 3_600_000;

type MakeEntries = () => readonly TableEntry[];

/** Some of the entries; sometimes one of the wrong type in their midst. */
function someOf(dice: Dice, makers: readonly MakeEntries[], countMax: number): Table {
  const entries: TableEntry[] = [];
  const count = dice.below(countMax + 1);
  for (let i = 0; i < count; i++) {
    for (const entry of dice.pick(makers)()) {
      if (!entries.some(([key]) => key === entry[0])) entries.push(entry);
    }
  }
  if (entries.length === 0 || !dice.oneIn(40)) return entries;
  const at = dice.below(entries.length);
  return entries.with(at, wrong(dice, entries[at]![0]));
}

function wrong(dice: Dice, key: string): TableEntry {
  return dice.pick<TableEntry>([
    [key, 'S', 'wrong'],
    [key, 'S', ''],
    [key, 'I', -1],
    [key, 't', true],
    [key, 'd', 1.5],
    [key, 'l', 999_999_999_999],
    [key, 'V', null],
    [key, 'F', [['a', 'I', 1]]],
    [key, 'A', [['I', 1]]],
  ]);
}

function integer(dice: Dice, key: string, value: number): TableEntry {
  return [key, dice.pick(INTEGER_TAGS), value];
}

/** Where the dead letters of a queue go. */
function deadLetters(
  dice: Dice,
  queue: string,
  exchanges: readonly string[],
  graves: readonly string[],
): MakeEntries {
  return () => {
    // Mostly a grave of its own, so that dead letters of several queues do not meet.
    const grave = queue === '~q1' ? graves[0]! : dice.oneIn(4) ? queue : graves[1]!;
    if (!dice.oneIn(3)) {
      return [
        ['x-dead-letter-exchange', 'S', ''],
        ['x-dead-letter-routing-key', 'S', grave],
      ];
    }
    const exchange: TableEntry = ['x-dead-letter-exchange', 'S', dice.pick([...exchanges, '~nowhere', ''])];
    return dice.oneIn(2)
      ? [exchange]
      : [exchange, ['x-dead-letter-routing-key', 'S', dice.pick(['k1', 'a.b', queue])]];
  };
}

interface QueueSurroundings {
  readonly exchanges: readonly string[];
  readonly graves: readonly string[];
  readonly isDeadly: boolean;
  /** There are times to live of zero, no priorities, and no limits of quorum queues. */
  readonly expiresAtOnce: boolean;
}

export function queueArguments(
  dice: Dice,
  queue: string,
  { exchanges, graves, isDeadly, expiresAtOnce }: QueueSurroundings,
): Table {
  const deadLetter = deadLetters(dice, queue, exchanges, graves);
  const limit: MakeEntries = () => [integer(dice, 'x-max-length', dice.below(4))];
  const overflow: MakeEntries = () => [
    ...limit(),
    ['x-overflow', 'S', dice.pick(['drop-head', 'reject-publish', 'reject-publish-dlx'])],
  ];
  // Dead letters of dead letters now and then.
  if (graves.includes(queue) && !dice.oneIn(6)) return dice.oneIn(2) ? [] : [...limit()];
  if (isDeadly && !dice.oneIn(4)) return deadlyArguments(dice, [...deadLetter()], expiresAtOnce);
  if (dice.oneIn(4)) return [];
  return someOf(
    dice,
    [
      deadLetter,
      deadLetter,
      deadLetter,
      deadLetter,
      limit,
      limit,
      overflow,
      overflow,
      () => [integer(dice, 'x-max-length-bytes', dice.below(8))],
      () => (!expiresAtOnce ? [integer(dice, 'x-max-priority', dice.below(6))] : []),
      () => [['x-single-active-consumer', 't', !dice.oneIn(4)]],
      () => [
        expiresAtOnce && dice.oneIn(3) ? integer(dice, 'x-message-ttl', 0) : ['x-message-ttl', 'I', LONG_MS],
      ],
      () => [['x-expires', dice.pick(['I', 'l']), LONG_MS]],
      () => [['x-queue-mode', 'S', dice.pick(['lazy', 'default'])]],
      () => [['x-queue-type', 'S', 'classic']],
      () => (dice.oneIn(4) ? [['x-dead-letter-routing-key', 'S', 'k1']] : deadLetter()),
      () => [['x-unknown', 'S', 'whatever']],
    ],
    3,
  );
}

/** What a quorum queue may have, and now and then what it may not. */
export function quorumArguments(
  dice: Dice,
  queue: string,
  { exchanges, graves, expiresAtOnce }: QueueSurroundings,
): Table {
  const others = someOf(
    dice,
    [
      graves.includes(queue) ? () => [] : deadLetters(dice, queue, exchanges, graves),
      () => [integer(dice, 'x-delivery-limit', dice.below(3))],
      () => (expiresAtOnce ? [] : [integer(dice, 'x-max-length', 1 + dice.below(3))]),
      () => [['x-single-active-consumer', 't', true]],
      () => (dice.oneIn(5) ? [integer(dice, 'x-max-priority', 3)] : []),
    ],
    3,
  );
  return [['x-queue-type', 'S', 'quorum'], ...others];
}

function deadlyArguments(dice: Dice, entries: TableEntry[], expiresAtOnce: boolean): Table {
  if (expiresAtOnce && dice.oneIn(3)) entries.push(integer(dice, 'x-message-ttl', 0));
  if (!dice.oneIn(3)) entries.push(integer(dice, 'x-max-length', dice.below(4)));
  if (dice.oneIn(3)) {
    entries.push(['x-overflow', 'S', dice.pick(['drop-head', 'reject-publish', 'reject-publish-dlx'])]);
  }
  if (!expiresAtOnce && dice.oneIn(2)) entries.push(integer(dice, 'x-max-priority', 1 + dice.below(5)));
  return entries;
}

export function exchangeArguments(dice: Dice, exchanges: readonly string[]): Table {
  if (!dice.oneIn(4)) return [];
  return someOf(
    dice,
    [
      () => [['alternate-exchange', 'S', dice.pick([...exchanges, '~nowhere'])]],
      () => [['x-unknown', 'I', 1]],
    ],
    2,
  );
}

export function bindingArguments(dice: Dice): Table {
  if (!dice.oneIn(3)) return [];
  return someOf(
    dice,
    [
      () => [['x-match', 'S', dice.pick(['all', 'any', 'all-with-x', 'any-with-x'])]],
      () => [['h1', 'S', dice.pick(['a', 'b'])]],
      () => [['h2', dice.pick(['I', 'l', 's']), dice.below(2)]],
      () => [['h3', 't', true]],
      () => [['x-h', 'S', 'a']],
      () => [['h4', 'V', null]],
    ],
    3,
  );
}

export function consumerArguments(dice: Dice): Table {
  if (!dice.oneIn(4)) return [];
  return someOf(
    dice,
    [
      () => [integer(dice, 'x-priority', dice.below(3))],
      () => [['x-priority', 'I', -1]],
      () => [['x-unknown', 'S', 'a']],
    ],
    2,
  );
}

/** @param keys where CC and BCC may lead */
export function messageProperties(dice: Dice, keys: readonly string[], mayExpireAtOnce: boolean): Properties {
  const properties: Properties = {};
  if (dice.oneIn(2)) return properties;
  if (dice.oneIn(3)) properties.deliveryMode = 1 + dice.below(2);
  if (dice.oneIn(4)) properties.priority = dice.below(8);
  if (dice.oneIn(3)) properties.headers = headers(dice, keys);
  if (dice.oneIn(10)) {
    properties.expiration = mayExpireAtOnce && dice.oneIn(2) ? '0' : String(LONG_MS);
  }
  if (dice.oneIn(6)) properties.contentType = 'text/plain';
  if (dice.oneIn(8)) properties.contentEncoding = 'utf-8';
  if (dice.oneIn(8)) properties.correlationId = 'corr';
  if (dice.oneIn(8)) properties.replyTo = 'reply';
  if (dice.oneIn(8)) properties.messageId = 'id';
  if (dice.oneIn(8)) properties.timestamp = 1_700_000_000;
  if (dice.oneIn(8)) properties.type = 'type';
  if (dice.oneIn(8)) properties.appId = 'app';
  if (dice.oneIn(10)) properties.userId = 'guest';
  if (dice.oneIn(10)) properties.clusterId = 'cluster';
  return properties;
}

function headers(dice: Dice, keys: readonly string[]): Table {
  const copies = (name: string): TableEntry => [
    name,
    'A',
    Array.from({ length: 1 + dice.below(2) }, () => ['S', dice.pick(keys)] as const),
  ];
  const made = someOf(
    dice,
    [
      () => [['h1', 'S', dice.pick(['a', 'b'])]],
      () => [['h2', dice.pick(['I', 'l', 's', 'b', 'u']), dice.below(2)]],
      () => [['h3', 't', dice.oneIn(2)]],
      () => [['h4', 'd', 1.5]],
      () => [
        [
          'h5',
          'F',
          [
            ['b', 'S', 'x'],
            ['a', 'I', 1],
          ],
        ],
      ],
      () => [['h6', 'T', 1_700_000_000]],
      () => [['h7', 'V', null]],
      () => [['h8', 'x', 'bytes']],
      () => [
        [
          'a0',
          'A',
          [
            ['S', 'one'],
            ['I', 2],
          ],
        ],
      ],
      () => [['x-h', 'S', 'a']],
      () => [copies('CC')],
      () => [copies('BCC')],
    ],
    4,
  );
  return made;
}
