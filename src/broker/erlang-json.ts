/** A JSON value as Erlang prints it (`~tp`) in RabbitMQ's texts about policies and parameters. */
import { erlangFloat, erlangString } from '../amqp/erlang-term.js';

export function erlangJson(value: unknown): string {
  if (typeof value === 'string') return erlangText(value);
  if (typeof value === 'number') return Number.isInteger(value) ? String(BigInt(value)) : erlangFloat(value);
  if (Array.isArray(value)) return `[${value.map(erlangJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).map(([key, member]) => `${erlangText(key)} => ${erlangJson(member)}`);
  return `#{${entries.join(',')}}`;
}

/** Erlang marks text beyond ASCII: `<<"größe"/utf8>>`. */
function erlangText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what tells text from bytes
  if (!/^[\u0000-\u007f]*$/.test(text)) return `<<"${text.replace(/[\\"]/g, '\\$&')}"/utf8>>`;
  return erlangString(Buffer.from(text));
}
