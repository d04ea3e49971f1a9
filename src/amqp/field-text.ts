import { isUtf8 } from 'node:buffer';

/**
 * Short strings as text: one length octet, then at most 255 bytes (AMQP 0-9-1 section 4.2.5.3).
 *
 * Field-table keys and content properties may hold any bytes: RabbitMQ checks UTF-8 in method arguments only. Such
 * text must survive a decode and an encode when the broker edits headers, and must not grow (a U+FFFD in place of
 * each bad byte would triple it past 255). So the bytes of text that is not UTF-8 become lone low surrogates
 * U+DC80..U+DCFF, which valid UTF-8 never yields, and are turned back when written. Python knows this as
 * "surrogateescape".
 */

/** The longest short string, in bytes: its length is one octet. */
export const SHORTSTR_BYTES_MAX = 255;

const ESCAPE_FIRST = 0xdc80;
const ESCAPE_LAST = 0xdcff;
const ESCAPE_BASE = 0xdc00;

/** The text in a range of bytes, or undefined when it is not valid UTF-8. */
export function utf8At(bytes: Buffer, start: number, end: number): string | undefined {
  if (isAscii(bytes, start, end)) return bytes.toString('latin1', start, end);
  return isUtf8(bytes.subarray(start, end)) ? bytes.toString('utf8', start, end) : undefined;
}

/** The text in a range of bytes; bytes that are not valid UTF-8 come out escaped, see above. */
export function textAt(bytes: Buffer, start: number, end: number): string {
  return utf8At(bytes, start, end) ?? escapedAt(bytes, start, end);
}

/** Bytes a short string takes, its length octet included. Throws RangeError past 255 bytes of text. */
export function shortstrSize(text: string): number {
  const size = isEscaped(text) ? text.length : Buffer.byteLength(text);
  if (size > SHORTSTR_BYTES_MAX) throw new RangeError(`short string of ${size} bytes, at most 255 fit`);
  return size + 1;
}

/** Writes a short string at a position with room for shortstrSize(text) bytes; returns the position after it. */
export function writeShortstr(bytes: Buffer, at: number, text: string): number {
  const size = shortstrSize(text) - 1;
  bytes[at] = size;
  const start = at + 1;
  if (size !== text.length) {
    bytes.write(text, start, 'utf8');
  } else {
    // ASCII, or escaped text: one byte per UTF-16 unit either way.
    for (let i = 0; i < size; i++) bytes[start + i] = text.charCodeAt(i) & 0xff;
  }
  return start + size;
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (bytes[i]! > 0x7f) return false;
  }
  return true;
}

function escapedAt(bytes: Buffer, start: number, end: number): string {
  const units: number[] = [];
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    units.push(byte > 0x7f ? ESCAPE_BASE + byte : byte);
  }
  return String.fromCharCode(...units);
}

/** Whether text came from escapedAt: nothing but ASCII and escapes, with an escape among them. */
function isEscaped(text: string): boolean {
  let hasEscape = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x7f) continue;
    if (unit < ESCAPE_FIRST || unit > ESCAPE_LAST) return false;
    hasEscape = true;
  }
  return hasEscape;
}
