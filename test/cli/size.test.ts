import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSize, parseSizeOrPercent } from '../../src/cli/size.js';

describe('parseSize', () => {
  it.each([
    ['1073741824', 1_073_741_824],
    ['0', 0],
    ['7B', 7],
    ['1k', 1024],
    ['1KiB', 1024],
    ['1kB', 1000],
    ['512MB', 512_000_000],
    ['512mib', 536_870_912],
    ['1GiB', 1_073_741_824],
    ['1.5G', 1_610_612_736],
    ['2 GB', 2_000_000_000],
    ['1TB', 1_000_000_000_000],
    ['1T', 1_099_511_627_776],
    ['0.0001kB', 0],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    '',
    ' ',
    'MB',
    '-1',
    '1.5',
    '1.5B',
    '.5MB',
    '1,5MB',
    '1e3',
    '0x10',
    '5XB',
    '5MBMB',
    '40%',
    'Infinity',
    '9007199254740993',
    '99999999TB',
    `1${' '.repeat(1000)}`,
  ])('refuses %j', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  it('reads every number of bytes back', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize(String(bytes))).toBe(bytes);
      }),
    );
  });

  it('answers any text with undefined or a whole number of bytes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = parseSize(text);
        expect(bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true);
      }),
    );
  });
});

describe('parseSizeOrPercent', () => {
  it.each([
    ['40%', 400],
    ['100%', 1000],
    ['0%', 0],
    ['12.55%', 125],
    ['50 %', 500],
    ['1kB', 1000],
    ['7', 7],
  ])('reads %s of 1000 bytes as %d', (text, bytes) => {
    expect(parseSizeOrPercent(text, 1000)).toBe(bytes);
  });

  it.each(['101%', '%', '-5%', '40%%', 'lots', `${' '.repeat(100)}5%`])('refuses %j', (text) => {
    expect(parseSizeOrPercent(text, 1000)).toBeUndefined();
  });
});
