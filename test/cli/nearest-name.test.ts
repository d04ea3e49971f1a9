import { describe, expect, it } from 'vitest';
import { nearestName, suggestion } from '../../src/cli/nearest-name.js';

const NAMES = ['--port', '--host', '--data-dir', '--log-level', '--log-format'];

describe('nearestName', () => {
  it.each([
    ['--prot', '--port'],
    ['--ports', '--port'],
    ['--hst', '--host'],
    ['--datadir', '--data-dir'],
    ['--loglevel', '--log-level'],
    ['--log-fromat', '--log-format'],
  ])('takes %s for %s', (mistyped, name) => {
    expect(nearestName(mistyped, NAMES)).toBe(name);
  });

  it.each(['--tls', '', 'x', 'completely-different', 'p'.repeat(100_000)])(
    'finds nothing near %.30s',
    (name) => {
      expect(nearestName(name, NAMES)).toBeUndefined();
    },
  );

  it('prefers the nearer of two', () => {
    expect(nearestName('abcdeX', ['abcXXX', 'abcdef'])).toBe('abcdef');
  });
});

describe('suggestion', () => {
  it('is a question, or nothing', () => {
    expect(suggestion('prot', ['port'])).toBe('; did you mean port?');
    expect(suggestion('zzzz', ['port'])).toBe('');
  });
});
