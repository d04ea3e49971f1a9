/** Field tables in the headers of messages: every type octet there and back, and tables that cannot be read. */
import { type Case, section } from '../../case.js';
import type { CaseContext } from '../../context.js';
import { expectConnectionClose, expectOneOf } from '../../expect.js';
import { FRAME_HEADER, type RawClient } from '../../wire/raw-client.js';
import { encodeContentHeader, type Table, type TableValue, type TaggedValue } from '../../wire/raw-codec.js';
import { UNREADABLE } from '../../wire/unreadable-tables.js';

const header = section({
  area: 'field-table',
  source: 'https://www.rabbitmq.com/amqp-0-9-1-errata#section_3',
  tags: ['rabbitmq'],
});

const INT64_MAX = 2n ** 63n - 1n;

/** Values of each type: its ends, and what is easily mistaken. */
const TYPES: readonly (readonly [name: string, tag: string, values: readonly TableValue[]])[] = [
  ['boolean', 't', [false, true]],
  ['octet', 'b', [-128, -1, 0, 127]],
  ['unsigned-octet', 'B', [0, 127, 128, 255]],
  ['short', 's', [-32_768, -1, 0, 32_767]],
  ['unsigned-short', 'u', [0, 32_768, 65_535]],
  ['long', 'I', [-2_147_483_648, -1, 0, 2_147_483_647]],
  ['unsigned-long', 'i', [0, 2_147_483_648, 4_294_967_295]],
  ['long-long', 'l', [-INT64_MAX - 1n, -1, 0, 2n ** 53n + 1n, INT64_MAX]],
  ['float', 'f', [0, -0, 1.5, -0.1, 3.4028234663852886e38, 1.401298464324817e-45]],
  ['double', 'd', [0, -0, 0.1, Number.MAX_VALUE, Number.MIN_VALUE]],
  ['decimal', 'D', [0, 255].map((scale) => ({ scale, digits: 4_294_967_295 }))],
  ['text', 'S', ['', 'ü', 'x'.repeat(300), Buffer.from([0, 255, 254])]],
  ['bytes', 'x', [Buffer.alloc(0), Buffer.from([0, 255])]],
  ['time', 'T', [0, 1_700_000_000, 2n ** 64n - 1n]],
  ['void', 'V', [null]],
  [
    'array',
    'A',
    [
      [],
      [
        ['I', 1],
        ['S', 'x'],
        ['V', null],
        ['A', [['t', true]]],
        ['F', [['n', 'I', 1]]],
      ],
    ],
  ],
  [
    'table',
    'F',
    [
      [],
      [
        ['a', 'S', 'x'],
        ['b', 'F', [['c', 'A', [['F', []]]]]],
      ],
    ],
  ],
];

/** Arrays and tables by turns, one in the other. */
function nested(depth: number): TaggedValue {
  if (depth === 0) return ['I', 7];
  const inner = nested(depth - 1);
  return depth % 2 === 0 ? ['A', [inner]] : ['F', [['k', ...inner]]];
}

/** Tables that come as they were though there is something about them. */
const WHOLE: readonly (readonly [name: string, title: string, table: Table])[] = [
  ['empty', 'a table without entries', []],
  ['key-empty', 'an entry with an empty name', [['', 'I', 1]]],
  ['key-longest', 'an entry whose name has 255 octets', [['k'.repeat(255), 'I', 1]]],
  ['nested', 'a table of tables and arrays, 40 deep', [['k', ...nested(40)]]],
  [
    'many',
    'a table of 4000 entries and 60 kB',
    Array.from({ length: 4000 }, (_, i) => [`key-${String(i).padStart(4, '0')}`, 'I', i] as const),
  ],
  ['value-long', 'a text of 100 kB', [['k', 'S', 'x'.repeat(100_000)]]],
];

const NOT_FINITE = [
  ['float-infinity', [['k', 'f', Number.POSITIVE_INFINITY]]],
  ['float-nan', [['k', 'f', Number.NaN]]],
  ['double-infinity', [['k', 'd', Number.NEGATIVE_INFINITY]]],
  ['double-nan', [['k', 'd', Number.NaN]]],
] as const;

/** Publishes to a queue of its own, and returns the payload of the content header that comes back. */
async function thereAndBack(t: CaseContext, headers: Table): Promise<Buffer> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client);
  client.publish(1, { routingKey: queue, properties: { headers } });
  await client.sync();
  return (await client.get(1, queue)).header;
}

/** What came is one of those tables, octet by octet. */
function expectTable(came: Buffer, tables: readonly Table[]): void {
  const expected = tables.map((headers) => encodeContentHeader(0, { headers }).toString('hex'));
  expectOneOf('the content header', came.toString('hex'), expected);
}

/**
 * What a broker may make of a table: RabbitMQ passed on what was published until 3.12, and from 3.13 on writes it anew.
 */
function rewritten(t: CaseContext, published: Table, anew: Table): readonly Table[] {
  return t.byDialect([anew], [published, anew]);
}

function publishRaw(client: RawClient, queue: string, table: Uint8Array): void {
  client.send(1, 'basic.publish', { routingKey: queue });
  const flags = Buffer.from([0x20, 0]);
  client.frame(FRAME_HEADER, 1, Buffer.concat([encodeContentHeader(0, {}).subarray(0, 12), flags, table]));
}

async function expectUnreadable(
  t: CaseContext,
  publish: (client: RawClient, queue: string) => void,
): Promise<void> {
  const client = await t.openChannel();
  const queue = await t.declareQueue(client);
  publish(client, queue);
  await expectConnectionClose(client, undefined, 541, 'INTERNAL_ERROR');
}

export const cases: readonly Case[] = [
  ...TYPES.map(([name, tag, values]) =>
    header(
      `header-${name}`,
      `headers of type ${tag} come octet by octet as they were`,
      'The types of field tables are those of the errata, and a header keeps its type and every octet of its value.',
      async (t) => {
        const table: Table = values.map((value, i) => [`k${i}`, tag, value]);
        expectTable(await thereAndBack(t, table), [table]);
      },
    ),
  ),
  header(
    'header-long-long-L',
    'a header of type L is a signed integer of 64 bits, as l is',
    'RabbitMQ reads L and l alike; where it writes a table anew, L becomes l.',
    async (t) => {
      const table = (tag: string): Table => [
        ['k0', tag, -1],
        ['k1', tag, INT64_MAX],
      ];
      expectTable(await thereAndBack(t, table('L')), rewritten(t, table('L'), table('l')));
    },
  ),
  ...WHOLE.map(([name, title, table]) =>
    header(
      `header-${name}`,
      `${title} comes as it was`,
      'A table may be as long and as deep as its frame, and names of entries have from 0 to 255 octets.',
      async (t) => expectTable(await thereAndBack(t, table), [table]),
    ),
  ),
  header(
    'header-order',
    'entries are in the order they were published in, or in that of their names',
    'RabbitMQ keeps the order of headers until 3.12 and sorts them by name from 3.13 on; inner tables are never sorted.',
    async (t) => {
      const z: Table[number] = ['z', 'I', 1];
      const inner: Table[number] = [
        'm',
        'F',
        [
          ['y', 'I', 1],
          ['b', 'I', 2],
        ],
      ];
      const a: Table[number] = ['a', 'I', 2];
      expectTable(await thereAndBack(t, [z, inner, a]), rewritten(t, [z, inner, a], [a, inner, z]));
    },
  ),
  header(
    'header-duplicate',
    'of two headers with one name the first counts',
    'Where RabbitMQ writes the headers anew, from 3.13 on, the second is gone; inner tables stay as they are.',
    async (t) => {
      const first: Table[number] = ['k', 'I', 1];
      const inner: Table[number] = [
        'm',
        'F',
        [
          ['y', 'I', 1],
          ['y', 'I', 2],
        ],
      ];
      const table: Table = [first, ['k', 'S', 'again'], inner];
      expectTable(await thereAndBack(t, table), rewritten(t, table, [first, inner]));
    },
  ),
  header(
    'header-true',
    'any octet but zero is true',
    'A boolean is one octet, of which 0 is false and everything else true: a headers exchange takes 2 for 1.',
    async (t) => {
      const client = await t.openChannel();
      const queue = await t.declareQueue(client);
      const exchange = await t.declareExchange(client, 'headers');
      await client.call(1, 'queue.bind', { queue, exchange, arguments: [['k', 't', true]] });
      client.send(1, 'basic.publish', { exchange });
      const two = Buffer.from([0x20, 0, 0, 0, 0, 4, 1, 0x6b, 0x74, 2]);
      client.frame(FRAME_HEADER, 1, Buffer.concat([encodeContentHeader(0, {}).subarray(0, 12), two]));
      await t.expectReady(client, queue, ['']);
    },
  ),
  header(
    'header-returned',
    'a returned message has the headers it was published with',
    'basic.return brings the whole content back, with every type of header.',
    async (t) => {
      const client = await t.openChannel();
      const headers: Table = TYPES.map(([, tag, values], i) => [
        String.fromCharCode(97 + i),
        tag,
        values[0]!,
      ]);
      client.publish(1, { routingKey: t.name('nowhere'), mandatory: true, properties: { headers } });
      expectTable((await client.message(1, 'basic.return')).header, [headers]);
    },
  ),
  ...NOT_FINITE.map(([name, headers]) =>
    header(
      `header-${name}`,
      `a ${name.replace('-', ' of ')} ends the connection`,
      'RabbitMQ cannot read floating point numbers that are not finite: the connection error 541.',
      (t) =>
        expectUnreadable(t, (client, queue) =>
          client.publish(1, { routingKey: queue, properties: { headers } }),
        ),
    ),
  ),
  ...UNREADABLE.map(({ name, title, table }) =>
    header(
      `header-unreadable-${name}`,
      `headers that are ${title} end the connection`,
      'RabbitMQ answers properties that it cannot read with the connection error 541.',
      (t) => expectUnreadable(t, (client, queue) => publishRaw(client, queue, table)),
    ),
  ),
  header(
    'header-unreadable-unrouted',
    'headers are read even when the message goes nowhere',
    'The error of a content does not depend on who would get it: an unknown type is the connection error 541.',
    (t) => expectUnreadable(t, (client) => publishRaw(client, t.name('nowhere'), UNREADABLE[0]!.table)),
  ),
];
