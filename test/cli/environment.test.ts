import { describe, expect, it } from 'vitest';
import { CommandError, EXIT_CONFIGURATION } from '../../src/cli/command-error.js';
import { readEnvironment, variableOf } from '../../src/cli/environment.js';

describe('variableOf', () => {
  it('is the name of the flag in capitals', () => {
    expect(variableOf('max-message-size')).toBe('LEVERET_MAX_MESSAGE_SIZE');
  });
});

describe('readEnvironment', () => {
  it('takes the variables of options and no others', () => {
    const settings = readEnvironment({ LEVERET_DATA_DIR: '/var/lib/x y', PATH: '/bin', OTHER_PORT: '1' });
    expect([...settings]).toEqual([
      ['data-dir', { source: 'environment', label: 'LEVERET_DATA_DIR', values: ['/var/lib/x y'] }],
    ]);
  });

  it('splits the values of a repeatable option at white space', () => {
    const settings = readEnvironment({ LEVERET_VHOST: ' /  orders\n' });
    expect(settings.get('vhost')?.values).toEqual(['/', 'orders']);
  });

  it('counts an empty variable as absent', () => {
    expect(readEnvironment({ LEVERET_PORT: '', LEVERET_VHOST: '  ', LEVERET_HOST: undefined }).size).toBe(0);
  });

  it.each([
    ['LEVERET_PROT', 'unknown environment variable LEVERET_PROT; did you mean LEVERET_PORT?'],
    ['LEVERET_DATADIR', 'unknown environment variable LEVERET_DATADIR; did you mean LEVERET_DATA_DIR?'],
    [
      'LEVERET_COLOUR',
      'unknown environment variable LEVERET_COLOUR; unset it; see leveret --help for the options',
    ],
  ])('refuses %s', (variable, message) => {
    let error: unknown;
    try {
      readEnvironment({ [variable]: '' });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ message, exitCode: EXIT_CONFIGURATION });
  });

  it('ignores what Kubernetes says about a service named leveret', () => {
    const settings = readEnvironment({
      LEVERET_SERVICE_HOST: '10.0.0.11',
      LEVERET_SERVICE_PORT: '5672',
      LEVERET_SERVICE_PORT_AMQP: '5672',
      LEVERET_PORT: 'tcp://10.0.0.11:5672',
      LEVERET_PORT_5672_TCP: 'tcp://10.0.0.11:5672',
      LEVERET_PORT_5672_TCP_ADDR: '10.0.0.11',
      LEVERET_PORT_5672_TCP_PORT: '5672',
      LEVERET_PORT_5672_TCP_PROTO: 'tcp',
    });
    expect(settings.size).toBe(0);
  });
});
