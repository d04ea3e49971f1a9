/** Values as Erlang's `~p` writes them: RabbitMQ's error texts quote arguments and keys that way. */
import type { FieldValue } from './field-value.js';

/** A value without its type. */
export function erlangTerm(value: FieldValue): string {
  switch (value.type) {
    case 'longstr':
    case 'binary':
      return erlangString(value.value);
    case 'array':
      return `[${value.value.map((member) => `{${member.type},${erlangTerm(member)}}`).join(',')}]`;
    case 'table':
      return `[${value.value.entries.map(([key, entry]) => erlangEntry(key, entry)).join(',')}]`;
    case 'float':
    case 'double':
      return erlangFloat(value.value);
    case 'decimal':
      return `{${value.scale},${value.value}}`;
    case 'void':
      return 'undefined';
    default:
      return String(value.value);
  }
}

function erlangEntry(key: string, value: FieldValue): string {
  return `{${erlangString(Buffer.from(key))},${value.type},${erlangTerm(value)}}`;
}

/** In double quotes when every byte is a printable Latin-1 character, else as numbers. */
export function erlangString(bytes: Buffer): string {
  if (bytes.length === 0) return '<<>>';
  if (!bytes.every(isPrintable)) return `<<${bytes.join(',')}>>`;
  const text = bytes.toString('latin1').replace(/[\\"\n\r\t]/g, (character) => ESCAPES.get(character) ?? '');
  return `<<"${text}">>`;
}

const ESCAPES = new Map([
  ['\\', '\\\\'],
  ['"', '\\"'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte >= 0xa0 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** Always with a decimal point: `6.0`, `1.0e22`. */
export function erlangFloat(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e');
  const pointed = mantissa.includes('.') ? mantissa : `${mantissa}.0`;
  return exponent === undefined ? pointed : `${pointed}e${exponent.replace('+', '')}`;
}
