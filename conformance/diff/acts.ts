/** Parts that operations are made of. */
import type { Properties, Table } from '../wire/raw-codec.js';
import type { Fields } from '../wire/raw-methods.js';
import type { Act } from './operation.js';

export function call(method: string, fields: Fields): Act {
  return { kind: 'call', method, fields };
}

export function withArguments(args: Table): Fields {
  return args.length === 0 ? {} : { arguments: args };
}

/** Where a message goes besides its routing key. */
export function carbonCopies({ headers = [] }: Properties): string[] {
  return headers
    .filter(([key, tag]) => (key === 'CC' || key === 'BCC') && tag === 'A')
    .flatMap(([, , members]) => (members as readonly (readonly [string, string])[]).map(([, key]) => key));
}
