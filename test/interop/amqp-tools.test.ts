/** The command line tools of librabbitmq, the C client: what shell scripts use. */
import { beforeAll, describe, expect, it } from 'vitest';
import { connectAmqplib, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { requireAmqpTools, runProgram } from './programs.js';
import { scratch } from './scratch.js';

beforeAll(requireAmqpTools);
const brokerUrl = useBroker();

describe('amqp-tools', () => {
  it('declare, publish to, get from and delete a queue', async () => {
    const queue = scratch(brokerUrl()).queue('tools');
    expect(await tool('declare-queue', '-q', queue, '-d')).toMatchObject({ status: 0, stdout: `${queue}\n` });
    expect(await tool('publish', '-r', queue, '-b', 'first')).toMatchObject({ status: 0 });
    expect(await tool('publish', '-r', queue, '-b', 'second')).toMatchObject({ status: 0 });
    expect(await tool('get', '-q', queue)).toMatchObject({ status: 0, stdout: 'first' });
    expect(await tool('delete-queue', '-q', queue)).toMatchObject({ status: 0, stdout: '1\n' });
  });

  it('say with their exit status whether a queue was empty or missing', async () => {
    const queue = scratch(brokerUrl()).queue('tools');
    expect(await tool('declare-queue', '-q', queue)).toMatchObject({ status: 0 });
    expect(await tool('get', '-q', queue)).toMatchObject({ status: 2, stdout: '' });
    expect(await tool('delete-queue', '-q', queue)).toMatchObject({ status: 0, stdout: '0\n' });
    const missing = await tool('get', '-q', queue);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain(
      `server channel error 404, message: NOT_FOUND - no queue '${queue}' in vhost '/'`,
    );
  });

  it('declare a queue that the broker names', async () => {
    const { status, stdout } = await tool('declare-queue', '-q', '');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^amq\.gen-\S+\n$/);
    expect(await tool('delete-queue', '-q', stdout.trim())).toMatchObject({ status: 0 });
  });

  it('publish every line of the standard input as a message with its properties', async () => {
    const names = scratch(brokerUrl());
    const [queue, exchange] = [names.queue('lines'), names.exchange('lines')];
    const channel = await openChannel(brokerUrl());
    await channel.assertExchange(exchange, 'direct', { durable: false });
    await channel.assertQueue(queue, { durable: true });
    await channel.bindQueue(queue, exchange, 'line');

    const options = [
      '-e',
      exchange,
      '-r',
      'line',
      '-l',
      '-p',
      '-C',
      'text/plain',
      '-E',
      'utf-8',
      '-H',
      'origin: shell',
    ];
    const published = await runProgram('amqp-publish', ['-u', brokerUrl(), ...options], 'one\ntwo\n');
    expect(published).toMatchObject({ status: 0, stderr: '' });

    for (const line of ['one\n', 'two\n']) {
      const message = await channel.get(queue, { noAck: true });
      expect(text(message)).toBe(line);
      expect(message).toMatchObject({
        fields: { exchange, routingKey: 'line' },
        properties: {
          contentType: 'text/plain',
          contentEncoding: 'utf-8',
          deliveryMode: 2,
          headers: { origin: 'shell' },
        },
      });
    }
  });

  it('consume a number of messages, each by a command', async () => {
    const queue = scratch(brokerUrl()).queue('consumed');
    const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
    await channel.assertQueue(queue, { durable: false });
    for (const line of ['one\n', 'two\n', 'three\n']) channel.sendToQueue(queue, Buffer.from(line));
    await channel.waitForConfirms();
    const consumed = await tool('consume', '-q', queue, '-c', '2', '-p', '1', 'cat');
    expect(consumed).toMatchObject({ status: 0, stdout: 'one\ntwo\n' });
    expect(text(await channel.get(queue, { noAck: true }))).toBe('three\n');
  });

  it('consume from an exchange through an exclusive queue', async () => {
    const exchange = scratch(brokerUrl()).exchange('fanout');
    const channel = await (await connectAmqplib(brokerUrl())).createConfirmChannel();
    await channel.assertExchange(exchange, 'fanout', { durable: false });
    const consuming = tool('consume', '-x', '-A', '-e', exchange, '-r', 'key', '-c', '1', 'cat');

    // The tool does not say when its queue is bound: a mandatory message is returned until it is.
    let returned = true;
    channel.on('return', () => {
      returned = true;
    });
    while (returned) {
      returned = false;
      channel.publish(exchange, '', Buffer.from('hello'), { mandatory: true });
      await channel.waitForConfirms();
    }
    expect(await consuming).toMatchObject({ status: 0, stdout: 'hello' });
  });
});

/** Runs `amqp-<name>` against the broker under test. */
function tool(name: string, ...more: readonly string[]) {
  return runProgram(`amqp-${name}`, ['-u', brokerUrl(), ...more]);
}
