import type { FieldEntry } from '../../src/amqp/field-table.js';
import {
  array,
  bool,
  double,
  type FieldValue,
  long,
  longstr,
  signedint,
  table,
  timestamp,
} from '../../src/amqp/field-value.js';
import type { QueueSettings, QueueType } from '../../src/queues/queue-arguments.js';

export const TYPES: readonly QueueType[] = ['classic', 'quorum', 'stream'];

const TEN_YEARS_MS = 315_360_000_000;

/** One row of the table of arguments: a valid value per legal type, and what it is read as. */
export interface Row {
  readonly key: string;
  readonly legal: readonly QueueType[];
  readonly accepted: readonly (readonly [value: FieldValue, settings: Partial<QueueSettings>])[];
  readonly refused: readonly (readonly [value: FieldValue, fault: string])[];
  /** Arguments that must stand beside it. */
  readonly with?: readonly FieldEntry[];
}

const NOT_INTEGERS: readonly (readonly [FieldValue, string])[] = [
  [longstr('1'), '"expected integer, got longstr"'],
  [bool(true), '"expected integer, got bool"'],
  [double(1), '"expected integer, got double"'],
  [{ type: 'float', value: 1 }, '"expected integer, got float"'],
  [{ type: 'decimal', scale: 0, value: 1 }, '"expected integer, got decimal"'],
  [timestamp(1), '"expected integer, got timestamp"'],
  [array([]), '"expected integer, got array"'],
  [table([]), '"expected integer, got table"'],
  [{ type: 'void' }, '"expected integer, got void"'],
  [{ type: 'binary', value: Buffer.from('1') }, '"expected integer, got binary"'],
];

const NEGATIVE: readonly (readonly [FieldValue, string])[] = [
  [signedint(-1), '{value_negative,-1}'],
  [long(-(2n ** 63n)), '{value_negative,-9223372036854775808}'],
];

const NOT_LONGSTR: readonly (readonly [FieldValue, string])[] = [
  [bool(true), '{unacceptable_type,bool}'],
  [signedint(1), '{unacceptable_type,signedint}'],
];

export const ROWS: readonly Row[] = [
  {
    key: 'x-expires',
    legal: ['classic', 'quorum'],
    accepted: [
      [signedint(1), { expiresMs: 1 }],
      [long(TEN_YEARS_MS), { expiresMs: TEN_YEARS_MS }],
    ],
    refused: [
      ...NOT_INTEGERS,
      ...NEGATIVE,
      [signedint(0), '{value_zero,0}'],
      [long(TEN_YEARS_MS + 1), '{value_too_large,315360000001}'],
    ],
  },
  {
    key: 'x-message-ttl',
    legal: ['classic', 'quorum'],
    accepted: [
      [signedint(0), { messageTtlMs: 0 }],
      [{ type: 'byte', value: 7 }, { messageTtlMs: 7 }],
      [{ type: 'unsignedbyte', value: 200 }, { messageTtlMs: 200 }],
      [{ type: 'short', value: 7 }, { messageTtlMs: 7 }],
      [{ type: 'unsignedshort', value: 65_535 }, { messageTtlMs: 65_535 }],
      [{ type: 'unsignedint', value: 4_294_967_295 }, { messageTtlMs: 4_294_967_295 }],
      [long(TEN_YEARS_MS), { messageTtlMs: TEN_YEARS_MS }],
    ],
    refused: [
      ...NOT_INTEGERS,
      ...NEGATIVE,
      [long(TEN_YEARS_MS + 1), '{value_too_large,315360000001}'],
      [long(2n ** 63n - 1n), '{value_too_large,9223372036854775807}'],
    ],
  },
  {
    key: 'x-dead-letter-exchange',
    legal: ['classic', 'quorum'],
    accepted: [
      [longstr('dlx'), { deadLetterExchange: 'dlx' }],
      [longstr(''), { deadLetterExchange: '' }],
    ],
    refused: [],
  },
  {
    key: 'x-dead-letter-routing-key',
    legal: ['classic', 'quorum'],
    with: [['x-dead-letter-exchange', longstr('')]],
    accepted: [[longstr('dead'), { deadLetterExchange: '', deadLetterRoutingKey: 'dead' }]],
    refused: NOT_LONGSTR,
  },
  {
    key: 'x-dead-letter-strategy',
    legal: ['quorum'],
    accepted: [
      [longstr('at-most-once'), { deadLetterStrategy: 'at-most-once' }],
      [longstr('at-least-once'), { deadLetterStrategy: 'at-least-once' }],
    ],
    refused: [...NOT_LONGSTR, [longstr('twice'), 'invalid_dlx_strategy']],
  },
  {
    key: 'x-max-length',
    legal: ['classic', 'quorum'],
    accepted: [
      [signedint(0), { maxLength: 0 }],
      [long(2 ** 40), { maxLength: 2 ** 40 }],
    ],
    refused: [...NOT_INTEGERS, ...NEGATIVE],
  },
  {
    key: 'x-max-length-bytes',
    legal: TYPES,
    accepted: [
      [signedint(0), { maxLengthBytes: 0 }],
      [long(2 ** 40), { maxLengthBytes: 2 ** 40 }],
    ],
    refused: [...NOT_INTEGERS, ...NEGATIVE],
  },
  {
    key: 'x-overflow',
    legal: ['classic', 'quorum'],
    accepted: [
      [longstr('drop-head'), { overflow: 'drop-head' }],
      [longstr('reject-publish'), { overflow: 'reject-publish' }],
    ],
    refused: [...NOT_LONGSTR, [longstr('drop-tail'), 'invalid_overflow']],
  },
  {
    key: 'x-max-priority',
    legal: ['classic'],
    accepted: [
      [signedint(0), { maxPriority: 0 }],
      [signedint(1), { maxPriority: 1 }],
      [signedint(255), { maxPriority: 255 }],
    ],
    refused: [...NOT_INTEGERS, ...NEGATIVE, [signedint(256), '{max_value_exceeded,256}']],
  },
  {
    key: 'x-single-active-consumer',
    legal: ['classic', 'quorum'],
    accepted: [
      [bool(true), { singleActiveConsumer: true }],
      [bool(false), { singleActiveConsumer: false }],
    ],
    refused: [
      [longstr('true'), '{unacceptable_type,longstr}'],
      [signedint(1), '{unacceptable_type,signedint}'],
    ],
  },
  {
    key: 'x-queue-mode',
    legal: ['classic'],
    accepted: [
      [longstr('default'), {}],
      [longstr('lazy'), {}],
    ],
    refused: [...NOT_LONGSTR, [longstr('eager'), '"unsupported queue mode \'eager\'"']],
  },
  {
    key: 'x-queue-version',
    legal: ['classic'],
    accepted: [
      [signedint(1), {}],
      [long(2), {}],
    ],
    refused: [
      ...NOT_INTEGERS,
      ...NEGATIVE,
      [signedint(0), '"unsupported queue version \'0\'"'],
      [signedint(3), '"unsupported queue version \'3\'"'],
    ],
  },
  {
    key: 'x-queue-master-locator',
    legal: ['classic'],
    accepted: [
      [longstr('min-masters'), {}],
      [signedint(1), {}],
    ],
    refused: [],
  },
  {
    key: 'x-queue-leader-locator',
    legal: TYPES,
    accepted: ['client-local', 'balanced', 'random', 'least-leaders', 'min-masters'].map((name) => [
      longstr(name),
      {},
    ]),
    refused: [...NOT_LONGSTR, [longstr('nearest'), 'invalid_queue_locator_arg']],
  },
  {
    key: 'x-quorum-initial-group-size',
    legal: ['quorum'],
    accepted: [[signedint(1), {}]],
    refused: [...NOT_INTEGERS, ...NEGATIVE, [signedint(0), '{value_zero,0}']],
  },
  {
    key: 'x-initial-cluster-size',
    legal: ['stream'],
    accepted: [[signedint(1), {}]],
    refused: [...NOT_INTEGERS, ...NEGATIVE, [signedint(0), '{value_zero,0}']],
  },
  {
    key: 'x-delivery-limit',
    legal: ['quorum'],
    accepted: [
      [signedint(5), { deliveryLimit: 5 }],
      [signedint(0), { deliveryLimit: 0 }],
      [signedint(-1), { deliveryLimit: -1 }],
      [longstr('5'), { deliveryLimit: undefined }],
    ],
    refused: [],
  },
  {
    key: 'x-max-in-memory-length',
    legal: ['quorum'],
    accepted: [[signedint(0), {}]],
    refused: [...NOT_INTEGERS, ...NEGATIVE],
  },
  {
    key: 'x-max-in-memory-bytes',
    legal: ['quorum'],
    accepted: [[signedint(0), {}]],
    refused: [...NOT_INTEGERS, ...NEGATIVE],
  },
  {
    key: 'x-max-age',
    legal: ['stream'],
    accepted: [
      [longstr('1Y'), { maxAgeMs: 31_536_000_000 }],
      [longstr('1M'), { maxAgeMs: 2_592_000_000 }],
      [longstr('7D'), { maxAgeMs: 604_800_000 }],
      [longstr('2h'), { maxAgeMs: 7_200_000 }],
      [longstr('010m'), { maxAgeMs: 600_000 }],
      [longstr('30s'), { maxAgeMs: 30_000 }],
    ],
    refused: [
      ...NOT_LONGSTR,
      ...['', 'D', '7', '0s', '5x', '-1D', '1D2', '1y', ' 1D', '1 D'].map(
        (text) => [longstr(text), 'invalid_max_age'] as const,
      ),
    ],
  },
  {
    key: 'x-stream-max-segment-size-bytes',
    legal: ['stream'],
    accepted: [
      [signedint(0), { maxSegmentBytes: 0 }],
      [long(3_000_000_000), { maxSegmentBytes: 3_000_000_000 }],
    ],
    refused: [...NOT_INTEGERS, ...NEGATIVE],
  },
];
