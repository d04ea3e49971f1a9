import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/cli/log.js';
import { formatLogLine } from '../../src/cli/log-text.js';

function recorder(): { lines: string[]; write(line: string): void } {
  const lines: string[] = [];
  return { lines, write: (line) => lines.push(line) };
}

describe('the JSON log', () => {
  it('has one object a line, with time, level, message and fields', () => {
    const output = recorder();
    createLogger('info', 'json', output).warn({ port: 5672 }, 'hello');
    expect(output.lines).toHaveLength(1);
    expect(output.lines[0]).toMatch(/^[^\n]+\n$/);
    const { time, ...rest } = JSON.parse(output.lines[0]!) as { readonly time: string };
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(rest).toEqual({ level: 'warning', port: 5672, msg: 'hello' });
  });

  it('keeps the stack of an error', () => {
    const output = recorder();
    createLogger('error', 'json', output).error({ err: new Error('broken') }, 'failed');
    expect(JSON.parse(output.lines[0]!)).toMatchObject({ err: { message: 'broken', stack: /at / } });
  });

  it.each([
    ['debug', ['debug', 'info', 'warning', 'error']],
    ['info', ['info', 'warning', 'error']],
    ['warning', ['warning', 'error']],
    ['error', ['error']],
    ['none', []],
  ] as const)('at level %s has %j', (level, expected) => {
    const output = recorder();
    const logger = createLogger(level, 'json', output);
    logger.debug({}, 'm');
    logger.info({}, 'm');
    logger.warn({}, 'm');
    logger.error({}, 'm');
    expect(output.lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(expected);
  });
});

describe('the text log', () => {
  it('has one line an event', () => {
    const output = recorder();
    createLogger('info', 'text', output).info({ port: 5672, name: 'a b', user: 'guest' }, 'started');
    expect(output.lines).toHaveLength(1);
    expect(output.lines[0]).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[info\] started port=5672 name="a b" user=guest\n$/,
    );
  });
});

describe('formatLogLine', () => {
  function format(fields: object): string {
    return formatLogLine(
      JSON.stringify({ time: '2026-11-20T22:00:49.123Z', level: 'info', msg: 'm', ...fields }),
    );
  }

  it('has the local time', () => {
    const time = new Date(2026, 10, 20, 22, 0, 49, 7).toISOString();
    expect(format({ time })).toBe('2026-11-20 22:00:49.007 [info] m\n');
  });

  it.each([
    ['plain', 'plain'],
    ['/var/lib', '/var/lib'],
    ['', '""'],
    ['a b', '"a b"'],
    ['a=b', '"a=b"'],
    ['say "x"', '"say \\"x\\""'],
    ['a\nb', '"a\\nb"'],
    ['\u001b[31m', '"\\u001b[31m"'],
    ['\u009b31m', '"\\u009b31m"'],
    ['\u202egnp', '"\\u202egnp"'],
    [5, '5'],
    [null, 'null'],
    [['a', 'b'], '["a","b"]'],
    [{ a: 1 }, '{"a":1}'],
  ])('writes the field %j as %s', (value, text) => {
    expect(format({ x: value })).toMatch(/ \[info\] m x=.*\n$/s);
    expect(format({ x: value })).toContain(` x=${text}\n`);
  });

  it('indents the stack of an error below its line', () => {
    const err = { type: 'Error', message: 'broken\u0007 pipe', stack: 'Error: broken\n    at f (a.js:1:1)' };
    expect(format({ err }).slice(24)).toBe(
      '[info] m err="broken\\u0007 pipe"\n    Error: broken\n        at f (a.js:1:1)\n',
    );
  });

  it('is one line without control characters, whatever a client sent', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        fc.anything(),
        (msg, name, value) => {
          fc.pre(name !== 'time' && name !== 'level' && name !== 'msg' && name !== '__proto__');
          const line = formatLogLine(
            JSON.stringify({
              time: '2026-11-20T22:00:49.123Z',
              level: 'info',
              msg,
              [name]: String(JSON.stringify(value)),
            }),
          );
          expect(line.endsWith('\n')).toBe(true);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
          expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
        },
      ),
    );
  });
});
