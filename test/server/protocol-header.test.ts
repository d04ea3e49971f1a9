import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { byGeneration, IS_ORACLE, Target } from './target.js';

/** AMQP 0-9-1 section 4.2.2: a server answers a header it does not speak with one it does, and closes TCP. */
const AMQP_0_9_1 = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');
const AMQP_1_0_SASL = Buffer.from('AMQP\x03\x01\x00\x00', 'latin1');

describe('the protocol header', () => {
  let target: Target;
  beforeEach(async () => {
    target = await Target.start();
  });
  afterEach(() => target.close());

  it.each([
    ['0-9-1', [0, 0, 9, 1]],
    ['0-9, as some clients write it', [1, 1, 0, 9]],
  ])('%s is spoken', async (_name, version) => {
    const client = await target.connect();
    client.write(Buffer.from([...Buffer.from('AMQP'), ...version]));
    expect(await client.method(0, 'connection.start')).toMatchObject({ versionMajor: 0, versionMinor: 9 });
  });

  it.each([
    ['0-9-0', 'AMQP\x00\x00\x09\x00', AMQP_0_9_1],
    ['0-10', 'AMQP\x00\x00\x0a\x00', AMQP_0_9_1],
    ['0-8', 'AMQP\x01\x01\x08\x01', AMQP_1_0_SASL],
    ['another version', 'AMQP\x02\x01\x00\x00', AMQP_1_0_SASL],
    ['garbage', 'nonsense', AMQP_1_0_SASL],
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n', AMQP_1_0_SASL],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01', AMQP_1_0_SASL],
  ])('%s is refused with the header of a version that is spoken', async (_name, header, answer) => {
    const client = await target.connect();
    client.write(Buffer.from(header, 'latin1'));
    await client.closed();
    expect(client.refusal).toEqual(byGeneration(answer, AMQP_0_9_1));
  });

  it('may come byte by byte, with the first frame right behind it', async () => {
    const client = await target.connect();
    for (const octet of AMQP_0_9_1) client.write(Buffer.from([octet]));
    client.startOk('\0guest\0guest');
    await client.method(0, 'connection.start');
    await client.method(0, 'connection.tune');
  });

  it.skipIf(IS_ORACLE)('and the rest of the handshake must come within ten seconds', async () => {
    const silent = await target.connect();
    const slow = await target.open();
    const halfway = await target.connect();
    await halfway.start();
    target.clock.advance(9_999);
    expect([silent.isClosed, halfway.isClosed]).toEqual([false, false]);
    target.clock.advance(1);
    await silent.closed();
    await halfway.closed();
    expect(halfway.pendingFrames(0)).toEqual([]);
    await slow.openChannel(1);
  });
});
