import amqp from 'amqplib';
import { describe, expect, it } from 'vitest';
import { createBroker } from '../src/index.js';

describe('createBroker', () => {
  it.each([
    [undefined, /^4\.2\./],
    ['3.13', /^3\.13\./],
    ['4.2', /^4\.2\./],
    ['4.3', /^4\.3\./],
  ] as const)('follows the generation that compat names (%s)', async (compat, version) => {
    const broker = await createBroker(compat === undefined ? {} : { compat });
    const connection = await amqp.connect(broker.url);
    try {
      expect(connection.connection.serverProperties['version']).toMatch(version);
    } finally {
      await connection.close();
      await broker.close();
    }
  });

  it.each([0, -1, 1.5, Number.NaN, 'never'])('has no consumer timeout of %s', async (timeoutMs) => {
    await expect(createBroker({ consumerTimeoutMs: timeoutMs as number })).rejects.toThrow(
      'the option consumerTimeoutMs must be a whole number of milliseconds from 1 on',
    );
  });

  it.each([5, 'none'] as const)('takes a consumer timeout of %s', async (consumerTimeoutMs) => {
    await (await createBroker({ consumerTimeoutMs })).close();
  });

  it('has no other generations', async () => {
    await expect(createBroker({ compat: '4' as '4.2' })).rejects.toThrow(
      'the option compat must be one of 3.13, 4.2, 4.3, not "4"',
    );
  });
});
