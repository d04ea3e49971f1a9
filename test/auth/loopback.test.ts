import { describe, expect, it } from 'vitest';
import { isLoopbackAddress } from '../../src/auth/loopback.js';

describe('loopback addresses', () => {
  it.each(['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::FFFF:7f01:203'])(
    'include %s',
    (address) => expect(isLoopbackAddress(address)).toBe(true),
  );

  it.each([
    '128.0.0.1',
    '10.0.0.127',
    '126.255.255.255',
    '0.0.0.0',
    '::',
    '::2',
    '::127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    'fe80::1%eth0',
    'localhost',
    '127.0.0.1.example.com',
    '127.1',
    '0127.0.0.1',
    ' 127.0.0.1',
    '127.0.0.1:5672',
    '',
    undefined,
  ])('do not include %s', (address) => expect(isLoopbackAddress(address)).toBe(false));
});
