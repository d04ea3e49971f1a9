/**
 * Writes src/amqp/methods.generated.ts from the protocol definition in amqp-0-9-1.json.
 *
 * Run it with `npm run generate` after changing the definition; a test compares its output with the checked-in
 * file. Leveret is a server, so only the directions a server needs come out: decoders for the methods a client
 * sends, encoders for those a server sends. Reserved fields are skipped on reading and written as zero or empty.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {{ name: string, domain: string, reserved?: boolean }} Field
 * @typedef {{ name: string, id: number, from: string[], synchronous: boolean, replies?: string[],
 *   content?: boolean, fields: Field[] }} Method
 * @typedef {{ name: string, domain: string, 'flag-bit': number }} Property
 * @typedef {{ name: string, id: number, properties?: Property[], methods: Method[] }} Class
 * @typedef {{ domains: Record<string, string>, classes: Class[] }} Definition
 * @typedef {{ read: string, reads: string, write: string, writes: string, zero: string }} WireType
 */

/** @type {Map<string, WireType>} What each wire type is called in the reader, the writer and TypeScript. */
const WIRE_TYPES = new Map([
  ['bit', { read: '', reads: 'boolean', write: '', writes: 'boolean', zero: '' }],
  ['octet', { read: 'u8', reads: 'number', write: 'u8', writes: 'number', zero: '0' }],
  ['short', { read: 'u16', reads: 'number', write: 'u16', writes: 'number', zero: '0' }],
  ['long', { read: 'u32', reads: 'number', write: 'u32', writes: 'number', zero: '0' }],
  ['longlong', { read: 'u64', reads: 'number', write: 'u64', writes: 'number', zero: '0' }],
  ['shortstr', { read: 'shortstr', reads: 'string', write: 'shortstr', writes: 'string', zero: `''` }],
  [
    'longstr',
    { read: 'longstr', reads: 'Buffer', write: 'longstr', writes: 'string | Uint8Array', zero: `''` },
  ],
  [
    'table',
    { read: 'table', reads: 'FieldTable', write: 'table', writes: 'FieldTable', zero: 'FieldTable.EMPTY' },
  ],
]);

/** Field names that cannot be variables in a module (strict mode). */
const NOT_A_VARIABLE = new Map([['arguments', 'argumentsTable']]);

const HEADER = `/**
 * Generated from spec/amqp-0-9-1.json by spec/generate.mjs. Do not edit: change the definition and run
 * \`npm run generate\`.
 *
 * Methods of AMQP 0-9-1 with RabbitMQ's extensions (https://www.rabbitmq.com/docs/extensions): decoders for what
 * a client sends, encoders for what a server sends.
 * A method id here is the class id and the method id as they stand on the wire, read as one 32-bit number.
 */
`;

/**
 * The text of methods.generated.ts.
 *
 * @param {Definition} definition the parsed amqp-0-9-1.json
 * @returns {string}
 */
export function generate(definition) {
  const all = definition.classes.flatMap((amqpClass) =>
    amqpClass.methods.map((method) => describe(definition, amqpClass, method)),
  );
  const fromClient = all.filter((method) => method.from.includes('client'));
  const fromServer = all.filter((method) => method.from.includes('server'));
  const body = [
    constants(definition, all),
    ...fromClient.map(interfaceOf),
    `export type ClientMethod =\n${fromClient.map((method) => `  | ${method.pascal}`).join('\n')};\n`,
    dispatcher(fromClient),
    ...fromClient.map(decoderOf),
    ...fromServer.map(encoderOf),
  ].join('\n');
  return [HEADER, imports(body), body].join('\n');
}

/**
 * @param {Definition} definition
 * @param {Class} amqpClass
 * @param {Method} method
 */
function describe(definition, amqpClass, method) {
  const fields = method.fields.map((field) => {
    const wireName = definition.domains[field.domain];
    const wire = wireName === undefined ? undefined : WIRE_TYPES.get(wireName);
    if (wire === undefined) throw new Error(`${amqpClass.name}.${method.name}: no type for ${field.domain}`);
    const camel = camelCase(field.name);
    return {
      wire,
      camel,
      name: field.name,
      isBit: wireName === 'bit',
      isReserved: field.reserved === true,
      variable: NOT_A_VARIABLE.get(camel) ?? camel,
    };
  });
  return {
    fields,
    from: method.from,
    pascal: pascalCase(`${amqpClass.name}-${method.name}`),
    dotted: `${amqpClass.name}.${method.name}`,
    id: `0x${(amqpClass.id * 65536 + method.id).toString(16).padStart(8, '0')}`,
  };
}

/** @typedef {ReturnType<typeof describe>} Described */
/** @typedef {Described['fields'][number]} DescribedField */

/** @param {string} body imports only what the generated text uses: unused imports are errors */
function imports(body) {
  const table = body.includes('FieldTable.EMPTY')
    ? `import { FieldTable } from './field-table.js';`
    : `import type { FieldTable } from './field-table.js';`;
  return `${table}
import { MethodReader } from './method-reader.js';
import type { MethodWriter } from './method-writer.js';
`;
}

/**
 * @param {Definition} definition
 * @param {Described[]} methods
 */
function constants(definition, methods) {
  const classIds = definition.classes.map((amqpClass) => `  ${pascalCase(amqpClass.name)}: ${amqpClass.id},`);
  return `/** Class ids, as in content headers and close methods. */
export const CLASS_ID = {
${classIds.join('\n')}
} as const;

/** Class id times 65,536 plus method id, of every method of either direction. */
export const MethodId = {
${methods.map((method) => `  ${method.pascal}: ${method.id},`).join('\n')}
} as const;

export type MethodId = (typeof MethodId)[keyof typeof MethodId];

const NAMES: ReadonlyMap<number, string> = new Map([
${methods.map((method) => `  [${method.id}, '${method.dotted}'],`).join('\n')}
]);

/** The name of a method as messages write it, \`queue.declare\`; class and method numbers for an unknown one. */
export function methodName(id: number): string {
  return NAMES.get(id) ?? \`\${id >>> 16}.\${id & 0xffff}\`;
}

/** Whether the protocol has such a method at all, whichever side sends it. */
export function isKnownMethod(id: number): boolean {
  return NAMES.has(id);
}
`;
}

/** @param {Described} method */
function interfaceOf(method) {
  const lines = method.fields
    .filter((field) => !field.isReserved)
    .map((field) => `  readonly ${field.camel}: ${field.wire.reads};`);
  return `export interface ${method.pascal} {
${[`  readonly id: typeof MethodId.${method.pascal};`, ...lines].join('\n')}
}
`;
}

/** @param {Described[]} methods */
function dispatcher(methods) {
  const cases = methods.map((method) => {
    const reader = method.fields.length === 0 ? '' : 'new MethodReader(bytes, start, end)';
    return `    case MethodId.${method.pascal}:\n      return decode${method.pascal}(${reader});`;
  });
  return `/**
 * Decodes the arguments of a method a client may send. They stand in bytes from \`start\`, just after the class
 * and method ids, to \`end\`; what follows the last argument is ignored. Undefined when a client may not send the
 * method. Throws DecodeError when the bytes end too soon or hold an unreadable table, and AmqpError for a short
 * string that is not UTF-8 or a table nested too deep.
 */
export function decodeMethod(id: number, bytes: Buffer, start: number, end: number): ClientMethod | undefined {
  switch (id) {
${cases.join('\n')}
    default:
      return undefined;
  }
}
`;
}

/** @param {Described} method */
function decoderOf(method) {
  const reads = groups(method.fields).map((group, index) => {
    if (group[0].isBit) {
      return group.every((bit) => bit.isReserved)
        ? `  reader.u8(); // ${group.map((bit) => bit.name).join(', ')}`
        : `  const bits${index} = reader.u8();`;
    }
    const [field] = group;
    if (field.isReserved) return `  reader.${field.wire.read}(); // ${field.name}`;
    return `  const ${field.variable} = reader.${field.wire.read}();`;
  });
  const values = groups(method.fields).flatMap((group, index) =>
    group.map((field, bit) => {
      if (field.isReserved) return '';
      if (field.isBit) return `    ${field.camel}: (bits${index} & ${2 ** bit}) !== 0,`;
      return field.variable === field.camel
        ? `    ${field.camel},`
        : `    ${field.camel}: ${field.variable},`;
    }),
  );
  const lines = [
    `function decode${method.pascal}(${method.fields.length === 0 ? '' : 'reader: MethodReader'}): ${method.pascal} {`,
    ...reads,
    '  return {',
    `    id: MethodId.${method.pascal},`,
    ...values,
    '  };',
    '}',
  ];
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

/** @param {Described} method */
function encoderOf(method) {
  const parameters = method.fields
    .filter((field) => !field.isReserved)
    .map((field) => `  ${field.variable}: ${field.wire.writes},`);
  const writes = groups(method.fields).map((group) => {
    if (group[0].isBit) return `  writer.u8(${packed(group)});`;
    const [field] = group;
    if (field.isReserved) return `  writer.${field.wire.write}(${field.wire.zero}); // ${field.name}`;
    return `  writer.${field.wire.write}(${field.variable});`;
  });
  const lines = [
    `export function encode${method.pascal}(`,
    '  writer: MethodWriter,',
    ...parameters,
    '): void {',
    `  writer.u32(${method.id});`,
    ...writes,
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * Runs of adjacent bit fields together, every other field alone: AMQP 0-9-1 section 4.2.5.2 packs adjacent bits
 * into octets, the first one lowest. No method has more than eight in a row.
 *
 * @param {DescribedField[]} fields
 * @returns {[DescribedField, ...DescribedField[]][]}
 */
function groups(fields) {
  /** @type {[DescribedField, ...DescribedField[]][]} */
  const result = [];
  for (const field of fields) {
    const last = result.at(-1);
    if (field.isBit && last?.[0].isBit) last.push(field);
    else result.push([field]);
  }
  if (result.some((group) => group.length > 8)) throw new Error('more than eight adjacent bits');
  return result;
}

/** @param {DescribedField[]} bits */
function packed(bits) {
  const terms = bits.flatMap((field, bit) =>
    field.isReserved ? [] : [`(${field.variable} ? ${2 ** bit} : 0)`],
  );
  return terms.length === 0 ? '0' : terms.join(' | ');
}

/** @param {string} name */
function camelCase(name) {
  return name.replace(/-([a-z0-9])/g, (_match, letter) => letter.toUpperCase());
}

/** @param {string} name */
function pascalCase(name) {
  return camelCase(`-${name}`);
}

function main() {
  const definition = JSON.parse(readFileSync(new URL('amqp-0-9-1.json', import.meta.url), 'utf8'));
  writeFileSync(new URL('../src/amqp/methods.generated.ts', import.meta.url), generate(definition));
}

if (argv[1] === fileURLToPath(import.meta.url)) main();
