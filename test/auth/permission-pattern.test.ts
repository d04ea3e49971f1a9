import { describe, expect, it } from 'vitest';
import { compilePermissionPattern, PATTERN_RESULTS_MAX } from '../../src/auth/permission-pattern.js';

const matches = (pattern: string, name: string) => compilePermissionPattern(pattern).matches(name);

describe('permission patterns', () => {
  it('grant everything, or only the empty name, without an engine', () => {
    for (const pattern of ['.*', '^.*$']) {
      expect(matches(pattern, '')).toBe(true);
      expect(matches(pattern, 'amq.default')).toBe(true);
    }
    for (const pattern of ['', '^$']) {
      expect(matches(pattern, '')).toBe(true);
      expect(matches(pattern, 'x')).toBe(false);
    }
  });

  it('are searched for anywhere in the name', () => {
    expect(matches('orders', 'my-orders-2')).toBe(true);
    expect(matches('^orders', 'my-orders-2')).toBe(false);
    expect(matches('^(amq\\.gen.*|amq\\.default)$', 'amq.default')).toBe(true);
    expect(matches('^(amq\\.gen.*|amq\\.default)$', 'amq.defaults')).toBe(false);
    expect(matches('Orders', 'orders')).toBe(false);
    expect(matches('^$|^tmp', '')).toBe(true);
    expect(matches('^ä.$', 'äö')).toBe(true);
  });

  it('keep the text they were made from', () => {
    for (const source of ['', '.*', '^x-']) expect(compilePermissionPattern(source).source).toBe(source);
  });

  it.each(['(', '[a', 'a**b', '(?!amq)x', '(a)\\1', '(a{1,1000}){1,1000}'])(
    'that are not regular expressions of linear time are refused by name: %s',
    (pattern) => {
      expect(() => compilePermissionPattern(pattern)).toThrow(`invalid permission pattern '${pattern}': `);
    },
  );

  it('answer the same for a name asked again after many others', () => {
    const pattern = compilePermissionPattern('[02468]$');
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < PATTERN_RESULTS_MAX * 3; i++) {
        // Found out, then remembered.
        for (let j = 0; j < 2; j++) expect(pattern.matches(`queue-${i}`)).toBe(i % 2 === 0);
        expect(pattern.matches('queue-0')).toBe(true);
      }
    }
  });

  it('take linear time on the patterns that make a backtracking engine hang', () => {
    // 2^60 steps for a backtracking engine: this test ends, or the pattern engine is the wrong one.
    const name = `${'a'.repeat(60)}!`;
    expect(matches('^(a+)+$', name)).toBe(false);
    expect(matches('^(a|aa)+$', name)).toBe(false);
    expect(matches('^(a|a?)+$', name)).toBe(false);
  });
});
