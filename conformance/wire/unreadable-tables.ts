/** Field tables that cannot be read, as octets with their length before them. */

export interface Unreadable {
  readonly name: string;
  /** Ends `a table that is ...`. */
  readonly title: string;
  readonly table: Uint8Array;
}

/** `a` is 0x61; the type octets are I 0x49, F 0x46, A 0x41, S 0x53, and U 0x55, which the errata do not have. */
const TABLES: readonly (readonly [name: string, title: string, octets: readonly number[]])[] = [
  ['type', 'of an unknown type', [1, 0x61, 0x55]],
  ['type-zero', 'of type 0', [1, 0x61, 0]],
  ['type-in-table', 'of an unknown type in a table', [1, 0x61, 0x46, 0, 0, 0, 3, 1, 0x62, 0x55]],
  ['type-in-array', 'of an unknown type in an array', [1, 0x61, 0x41, 0, 0, 0, 1, 0x55]],
  ['name-cut', 'cut short in a name', [5, 0x61]],
  ['no-type', 'cut short before a type', [1, 0x61]],
  ['value-cut', 'cut short in a value', [1, 0x61, 0x49, 0]],
  ['text-cut', 'cut short in a text', [1, 0x61, 0x53, 0, 0, 0, 2, 0x61]],
  ['table-cut', 'cut short in an inner table', [1, 0x61, 0x46, 0, 0, 0, 9]],
  ['array-cut', 'cut short in a value of an array', [1, 0x61, 0x41, 0, 0, 0, 2, 0x49, 0]],
];

export const UNREADABLE: readonly Unreadable[] = TABLES.map(([name, title, octets]) => ({
  name,
  title,
  table: Uint8Array.from([0, 0, 0, octets.length, ...octets]),
}));
