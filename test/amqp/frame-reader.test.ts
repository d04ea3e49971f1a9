import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmqpError, notFound } from '../../src/amqp/errors.js';
import { FrameReader, type FrameReaderOwner, type FrameSink } from '../../src/amqp/frame-reader.js';
import { type ByteBlock, blockOver } from '../../src/lib/bytes.js';
import { frame, patterned } from '../helpers/frames.js';

const PAYLOAD_BYTES_MAX = 32_768;
/** Bodies from this size on are handed on in parts. */
const BODY_PART_BYTES_MIN = 4096;

interface Recorder {
  readonly reader: FrameReader;
  /** What the sinks and the owner were told, body parts merged: one line per frame. */
  readonly lines: string[];
  /** Called with each line before it is recorded; may throw. */
  onLine: (line: string) => void;
}

interface RecorderOptions {
  readonly payloadBytesMax?: number;
  /** Channels that cannot be: asking for their sink throws. */
  readonly refused?: readonly number[];
}

function recorder(options: RecorderOptions = {}): Recorder {
  const lines: string[] = [];
  const say = (line: string): void => {
    result.onLine(line);
    lines.push(line);
  };
  const sinks = new Map<number, FrameSink>();
  const sinkOf = (channel: number): FrameSink => {
    const pieces: Buffer[] = [];
    const text = (block: ByteBlock, start: number, end: number): string =>
      block.bytes.toString('hex', start, end);
    return {
      onMethod: (block, start, end) => say(`method ${channel} ${text(block, start, end)}`),
      onHeader: (block, start, end) => say(`header ${channel} ${text(block, start, end)}`),
      onBodyPart: (block, start, end) => {
        pieces.push(Buffer.from(block.bytes.subarray(start, end)));
      },
      onBody: (block, start, end) => {
        const body = Buffer.concat([...pieces, block.bytes.subarray(start, end)]);
        pieces.length = 0;
        say(`body ${channel} ${body.toString('hex')}`);
      },
    };
  };
  const owner: FrameReaderOwner = {
    sinkFor: (channel, type) => {
      if (options.refused?.includes(channel)) throw notFound(`no channel ${channel} for type ${type}`);
      const sink = sinks.get(channel) ?? sinkOf(channel);
      sinks.set(channel, sink);
      return sink;
    },
    onHeartbeat: () => say('heartbeat'),
    onFrameError: (error, sink) => {
      const text = error instanceof AmqpError ? error.replyText : String(error);
      const channel = [...sinks].find(([, known]) => known === sink)?.[0];
      const line = `error from ${sink === undefined ? 'reader' : `sink ${channel}`}: ${text}`;
      // A body in parts asks for its sink with every part.
      if (lines[lines.length - 1] !== line) lines.push(line);
    },
  };
  const reader = new FrameReader(owner, options.payloadBytesMax ?? PAYLOAD_BYTES_MAX);
  const result: Recorder = { reader, lines, onLine: () => {} };
  return result;
}

/** Pushes a stream in pieces, each in memory of its own as a socket's reads are. */
function push(reader: FrameReader, stream: Buffer, cuts: readonly number[] = []): void {
  const places = [0, ...cuts, stream.length];
  for (let i = 1; i < places.length; i++) {
    const piece = stream.subarray(places[i - 1], places[i]);
    if (piece.length > 0) reader.push(blockOver(Buffer.from(piece)));
  }
}

const everyCut = (stream: Buffer): number[][] => Array.from({ length: stream.length - 1 }, (_, i) => [i + 1]);

/** All splits into two, and into single bytes. */
function everySplit(stream: Buffer): number[][] {
  return [...everyCut(stream), Array.from({ length: stream.length - 1 }, (_, i) => i + 1)];
}

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const HEARTBEAT = 8;

interface Spec {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

const payload = (min: number, max: number): fc.Arbitrary<Buffer> =>
  fc.tuple(fc.integer({ min, max }), fc.nat(255)).map(([length, seed]) => patterned(length, seed));
const channel = fc.constantFrom(0, 1, 2, 300, 65_535);
const validFrame: fc.Arbitrary<Spec> = fc.oneof(
  fc.record({ type: fc.constant(METHOD), channel, payload: payload(4, 300) }),
  fc.record({ type: fc.constant(HEADER), channel, payload: payload(14, 300) }),
  fc.record({ type: fc.constant(BODY), channel, payload: payload(0, 300) }),
  fc.record({ type: fc.constant(BODY), channel, payload: payload(3_900, 20_480) }),
  fc.constant({ type: HEARTBEAT, channel: 0, payload: Buffer.alloc(0) }),
);

const KINDS = ['', 'method', 'header', 'body'];
const lineOf = (spec: Spec): string =>
  spec.type === HEARTBEAT
    ? 'heartbeat'
    : `${KINDS[spec.type]} ${spec.channel} ${spec.payload.toString('hex')}`;

describe('FrameReader', () => {
  it('hands the same frames to the same sinks wherever the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(validFrame, { maxLength: 8 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        (specs, places) => {
          const stream = Buffer.concat(specs.map((spec) => frame(spec.type, spec.channel, spec.payload)));
          const cuts = places.map((place) => Math.floor(place * stream.length)).sort((a, b) => a - b);
          const { reader, lines } = recorder();
          push(reader, stream, cuts);
          expect(lines).toEqual(specs.map(lineOf));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('takes any single cut, and single bytes', () => {
    const specs: Spec[] = [
      { type: METHOD, channel: 1, payload: patterned(9) },
      { type: HEADER, channel: 1, payload: patterned(14, 5) },
      { type: BODY, channel: 1, payload: patterned(20, 9) },
      { type: HEARTBEAT, channel: 0, payload: Buffer.alloc(0) },
      { type: BODY, channel: 2, payload: patterned(0) },
      { type: METHOD, channel: 2, payload: patterned(4) },
    ];
    const stream = Buffer.concat(specs.map((spec) => frame(spec.type, spec.channel, spec.payload)));
    for (const cuts of everySplit(stream)) {
      const { reader, lines } = recorder();
      push(reader, stream, cuts);
      expect(lines, `cut at ${cuts.join()}`).toEqual(specs.map(lineOf));
    }
  });

  it('takes a body in parts at any single cut', () => {
    const body = patterned(BODY_PART_BYTES_MIN);
    const stream = Buffer.concat([frame(HEARTBEAT, 0, Buffer.alloc(0)), frame(BODY, 3, body)]);
    const interesting = [
      ...Array(40).keys(),
      ...Array.from({ length: 40 }, (_, i) => stream.length - 40 + i),
    ];
    for (const cut of interesting) {
      const { reader, lines } = recorder();
      push(reader, stream, [cut]);
      expect(lines, `cut at ${cut}`).toEqual(['heartbeat', `body 3 ${body.toString('hex')}`]);
    }
  });

  it('hands on the bytes of a whole frame where they lie, without a copy', () => {
    const seen: ByteBlock[] = [];
    const sink: FrameSink = {
      onMethod: (block) => seen.push(block),
      onHeader: (block) => seen.push(block),
      onBodyPart: (block) => seen.push(block),
      onBody: (block) => seen.push(block),
    };
    const owner: FrameReaderOwner = { sinkFor: () => sink, onHeartbeat() {}, onFrameError() {} };
    const reader = new FrameReader(owner, PAYLOAD_BYTES_MAX);
    const whole = blockOver(
      Buffer.concat([frame(METHOD, 1, patterned(9)), frame(BODY, 1, patterned(20_000)).subarray(0, 9_000)]),
    );
    reader.push(whole);
    expect(seen).toEqual([whole, whole]);
  });

  it('asks for the sink of an added channel no more, and again once it is removed', () => {
    const { reader, lines } = recorder({ refused: [5] });
    const heard: number[] = [];
    const quiet = (): void => {};
    reader.addSink(5, {
      onMethod: (_block, start) => heard.push(start),
      onHeader: quiet,
      onBodyPart: quiet,
      onBody: quiet,
    });
    const stream = frame(METHOD, 5, patterned(4));
    push(reader, stream);
    expect([heard, lines]).toEqual([[7], []]);
    reader.removeSink(5);
    push(reader, stream);
    expect(lines).toEqual(['error from reader: NOT_FOUND - no channel 5 for type 1']);
    reader.addSink(5, { onMethod: quiet, onHeader: quiet, onBodyPart: quiet, onBody: quiet });
    reader.removeAllSinks();
    push(reader, stream);
    expect(heard).toHaveLength(1);
  });
});

const GOOD = frame(METHOD, 1, patterned(5));
const GOOD_LINE = `method 1 ${patterned(5).toString('hex')}`;
const PRINTABLE = Buffer.from('say "hi"');
const OCTETS_16 = patterned(16).join(',');

/** Malformed frames, the text of each, and whether what follows it can still be read. */
const MALFORMED: readonly (readonly [what: string, bytes: Buffer, text: string, goesOn: boolean])[] = [
  [
    'a frame larger than allowed',
    frame(METHOD, 1, patterned(201)),
    'FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,201,192}',
    false,
  ],
  [
    'a short frame with a wrong end',
    frame(METHOD, 1, PRINTABLE, 0xcd),
    'FRAME_ERROR - type 1, all octets = <<"say \\"hi\\"">>: {invalid_frame_end_marker,205}',
    false,
  ],
  [
    'a longer frame with a wrong end',
    frame(BODY, 1, patterned(40), 0),
    `FRAME_ERROR - type 3, first 16 octets = <<${OCTETS_16}>>: {invalid_frame_end_marker,0}`,
    false,
  ],
  [
    'an empty frame with a wrong end',
    frame(HEARTBEAT, 0, Buffer.alloc(0), 1),
    'FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,1}',
    false,
  ],
  [
    'a frame of an unknown type',
    frame(9, 1, Buffer.from([1, 2, 3])),
    'FRAME_ERROR - type 9, all octets = <<1,2,3>>: unknown_frame',
    true,
  ],
  [
    'a frame of type 0',
    frame(0, 1, patterned(17)),
    `FRAME_ERROR - type 0, first 16 octets = <<${OCTETS_16}>>: unknown_frame`,
    true,
  ],
  [
    'a heartbeat on a channel',
    frame(HEARTBEAT, 1, Buffer.alloc(0)),
    'UNEXPECTED_FRAME - type 8, all octets = <<>>',
    true,
  ],
  [
    'a heartbeat with a payload',
    frame(HEARTBEAT, 0, Buffer.from([0])),
    'FRAME_ERROR - type 8, all octets = <<0>>: unknown_frame',
    true,
  ],
  [
    'a method without its ids',
    frame(METHOD, 1, Buffer.from([0, 60, 0])),
    'FRAME_ERROR - type 1, all octets = <<0,60,0>>: unknown_frame',
    true,
  ],
  [
    'a content header that is too short',
    frame(HEADER, 1, patterned(13)),
    `FRAME_ERROR - type 2, all octets = <<${patterned(13).join(',')}>>: unknown_frame`,
    true,
  ],
];

describe('FrameReader on a malformed frame', () => {
  it.each(MALFORMED)('tells of %s once, wherever the stream is cut', (_what, bytes, text, goesOn) => {
    const stream = Buffer.concat([GOOD, bytes, GOOD]);
    const expected = [GOOD_LINE, `error from reader: ${text}`, ...(goesOn ? [GOOD_LINE] : [])];
    for (const cuts of [[], ...everySplit(stream)]) {
      const { reader, lines } = recorder({ payloadBytesMax: 200 });
      push(reader, stream, cuts);
      expect(lines, `cut at ${cuts.join()}`).toEqual(expected);
    }
  });

  it('quotes the first octets of a body that was passed on in parts', () => {
    const stream = frame(BODY, 1, patterned(BODY_PART_BYTES_MIN), 7);
    const text = `FRAME_ERROR - type 3, first 16 octets = <<${OCTETS_16}>>: {invalid_frame_end_marker,7}`;
    for (const cuts of [[], [7], [8], [15], [23], [7, 9, 4_000], [10, 11, 12, 30], [stream.length - 1]]) {
      const { reader, lines } = recorder();
      push(reader, stream, cuts);
      expect(lines).toEqual([`error from reader: ${text}`]);
    }
  });

  it('refuses a frame by its announced length, before its payload comes', () => {
    const { reader, lines } = recorder();
    push(reader, Buffer.from([1, 0, 1, 0xff, 0xff, 0xff, 0xff]));
    expect(lines).toEqual([
      'error from reader: FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,4294967295,32760}',
    ]);
  });

  it('accepts a payload of exactly the largest size', () => {
    const { reader, lines } = recorder({ payloadBytesMax: 200 });
    push(reader, frame(METHOD, 1, patterned(200)));
    expect(lines).toEqual([`method 1 ${patterned(200).toString('hex')}`]);
  });
});

describe('FrameReader when a sink throws', () => {
  const kinds: readonly (readonly [string, Buffer, string])[] = [
    ['method', frame(METHOD, 2, patterned(6)), 'method 2'],
    ['header', frame(HEADER, 2, patterned(20)), 'header 2'],
    ['body', frame(BODY, 2, patterned(30)), 'body 2'],
  ];
  it.each(kinds)('goes on with the next frame after a %s, wherever it is cut', (_kind, bytes, beginning) => {
    const stream = Buffer.concat([GOOD, bytes, GOOD, bytes, GOOD]);
    const error = 'error from sink 2: NOT_FOUND - gone';
    for (const cuts of [[], ...everySplit(stream)]) {
      const result = recorder();
      result.onLine = (line) => {
        if (line.startsWith(beginning)) throw notFound('gone');
      };
      push(result.reader, stream, cuts);
      expect(result.lines, `cut at ${cuts.join()}`).toEqual([GOOD_LINE, error, GOOD_LINE, error, GOOD_LINE]);
    }
  });

  it('goes on behind a large body of which every part threw', () => {
    const stream = Buffer.concat([GOOD, frame(BODY, 2, patterned(5_000)), GOOD]);
    for (const cuts of [[], [40], [20, 21, 22, 300, 5_000], [13 + 7], [13 + 7 + 5_000], [13 + 8 + 5_000]]) {
      const heard: string[] = [];
      const fail = (): void => {
        throw notFound('gone');
      };
      const broken: FrameSink = { onMethod: fail, onHeader: fail, onBodyPart: fail, onBody: fail };
      const whole: FrameSink = { ...broken, onMethod: () => heard.push('method') };
      const errors: (FrameSink | undefined)[] = [];
      const reader = new FrameReader(
        {
          sinkFor: (number) => (number === 1 ? whole : broken),
          onHeartbeat: () => {},
          onFrameError: (_error, sink) => errors.push(sink),
        },
        PAYLOAD_BYTES_MAX,
      );
      push(reader, stream, cuts);
      expect(heard, `cut at ${cuts.join()}`).toEqual(['method', 'method']);
      expect(errors.length).toBeGreaterThan(0);
      expect(errors.every((sink) => sink === broken)).toBe(true);
    }
  });

  it.each([20, 5_000])('goes on behind a body of %i bytes whose channel cannot be', (bodyBytes) => {
    const stream = Buffer.concat([GOOD, frame(BODY, 9, patterned(bodyBytes)), GOOD]);
    const error = 'error from reader: NOT_FOUND - no channel 9 for type 3';
    const cuts =
      bodyBytes === 20 ? everySplit(stream) : [[], [13 + 7], [40], [20, 300, 4_000], [13 + 7 + 5_000]];
    for (const places of cuts) {
      const { reader, lines } = recorder({ refused: [9] });
      push(reader, stream, places);
      expect(lines, `cut at ${places.join()}`).toEqual([GOOD_LINE, error, GOOD_LINE]);
    }
  });
});

describe('FrameReader.stop', () => {
  it.each([[[]], [[5]], [[13]], [[20]], [[13 + 15]]])('ends it at once, cut at %j', (cuts) => {
    const result = recorder();
    const stream = Buffer.concat([GOOD, frame(BODY, 2, patterned(7)), GOOD]);
    result.onLine = (line) => {
      if (line.startsWith('body')) result.reader.stop();
    };
    push(result.reader, stream, cuts);
    push(result.reader, stream);
    expect(result.lines).toEqual([GOOD_LINE, `body 2 ${patterned(7).toString('hex')}`]);
  });

  it('ends it in the midst of a body in parts', () => {
    const { reader, lines } = recorder();
    const stream = frame(BODY, 2, patterned(6_000));
    reader.push(blockOver(stream.subarray(0, 3_000)));
    reader.stop();
    reader.push(blockOver(stream.subarray(3_000)));
    expect(lines).toEqual([]);
  });

  it('is what a sink that throws may do first', () => {
    const result = recorder();
    result.onLine = () => {
      result.reader.stop();
      throw notFound('gone');
    };
    push(result.reader, Buffer.concat([GOOD, GOOD]));
    expect(result.lines).toEqual(['error from sink 1: NOT_FOUND - gone']);
  });
});
