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

  it('has no other generations', async () => {
    await expect(createBroker({ compat: '4' as '4.2' })).rejects.toThrow(
      'the option compat must be one of 3.13, 4.2, 4.3, not "4"',
    );
  });
});
