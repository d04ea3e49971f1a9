import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { breachesIn, importsOf, type Sources } from './helpers/source-rules.js';

const SRC = new URL('../src/', import.meta.url);
const CONFORMANCE = new URL('../conformance/', import.meta.url);
const BENCH = new URL('../bench/', import.meta.url);

function readSources(folder: URL): Sources {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'));
  return new Map(paths.map((path) => [path, readFileSync(new URL(path, folder), 'utf8')]));
}

describe('the source tree', () => {
  const sources = readSources(SRC);

  it('is there', () => {
    expect(sources.size).toBeGreaterThan(50);
    expect(importsOf(sources.get('broker/virtual-host.ts')!).length).toBeGreaterThan(5);
  });

  it('keeps its rules', () => {
    expect(breachesIn(sources)).toEqual([]);
  });
});

describe('the conformance suite', () => {
  it('imports nothing of the broker it may have to judge', () => {
    const sources = readSources(CONFORMANCE);
    expect(sources.size).toBeGreaterThan(10);
    expect(strayImportsOf(sources)).toEqual([]);
  });

  it.each([
    ['runner.ts', "import { b } from '../src/index.js';"],
    ['cases/queue/a.ts', "import type { B } from '../../../src/amqp/b.js';"],
    ['main.ts', "const b = await import('../test/b.js');"],
    ['main.ts', "import { createBroker } from 'leveret';"],
  ])('is seen to in %s: %s', (path, source) => {
    expect(strayImportsOf(new Map([[path, source]]))).toHaveLength(1);
    expect(strayImportsOf(new Map([[path, "import { b } from './b.js';\nimport 'amqplib';"]]))).toEqual([]);
  });
});

describe('the benchmark', () => {
  it('imports nothing of the broker it measures, but for the parts', () => {
    const sources = [...readSources(BENCH)].filter(([path]) => !path.startsWith('parts/'));
    expect(sources.length).toBeGreaterThan(10);
    expect(strayImportsOf(new Map(sources))).toEqual([]);
  });
});

/** Imports that lead out of the folder, or to the broker as a package. */
function strayImportsOf(sources: Sources): string[] {
  const root = 'file:///tree/conformance/';
  return [...sources].flatMap(([path, text]) =>
    importsOf(text)
      .map(({ from }) => from)
      .filter((from) =>
        from.startsWith('.')
          ? !new URL(from, root + path).href.startsWith(root)
          : /^leveret(?:\/|$)/.test(from),
      )
      .map((from) => `${path}: imports ${from}`),
  );
}

const breaches = (files: Readonly<Record<string, string>>): string[] =>
  breachesIn(new Map(Object.entries(files)));

describe('the rules', () => {
  it.each([
    ['lib/a.ts', "import { b } from '../amqp/b.js';", 'amqp/b.ts, which lib may not'],
    ['amqp/a.ts', "import type { B } from '../store/b.js';", 'store/b.ts, which amqp may not'],
    ['store/a.ts', "import {\n  b,\n  type C,\n} from '../amqp/b.js';", 'amqp/b.ts, which store may not'],
    ['auth/a.ts', "import * as b from '../amqp/b.js';", 'amqp/b.ts, which auth may not'],
    ['exchanges/a.ts', "export { b } from '../queues/b.js';", 'queues/b.ts, which exchanges may not'],
    ['queues/a.ts', "import '../exchanges/b.js';", 'exchanges/b.ts, which queues may not'],
    ['queues/a.ts', "import { b } from '../broker/b.js';", 'broker/b.ts, which queues may not'],
    ['broker/a.ts', "const b = await import('../server/b.js');", 'server/b.ts, which broker may not'],
    ['server/handlers/a.ts', "import { b } from '../../cli/b.js';", 'cli/b.ts, which server may not'],
    ['server/a.ts', "import { b } from '../index.js';", 'index.ts, which server may not'],
    ['index.ts', "import { b } from './cli/b.js';", 'cli/b.ts, which index.ts may not'],
    ['broker/a.ts', "import { readFileSync } from 'node:fs';", 'node:fs, which only lib may'],
    ['store/a.ts', "import { open } from 'fs/promises';", 'fs/promises, which only lib may'],
    ['server/a.ts', "import { b } from './b';", './b without the extension .js'],
  ])('see in %s: %s', (path, source, what) => {
    expect(breaches({ [path]: source })).toEqual([`${path}: imports ${what}`]);
  });

  it.each([
    ['exchanges/a.ts', "import { b } from '../amqp/b.js';"],
    ['broker/a.ts', "import { b } from '../queues/b.js';\nimport { c } from './c.js';"],
    ['server/handlers/a.ts', "import { b } from '../channel.js';\nimport { c } from '../../broker/c.js';"],
    ['index.ts', "import { b } from './server/b.js';"],
    ['main.ts', "import { b } from './cli/b.js';"],
    ['lib/a.ts', "import { readFileSync } from 'node:fs';\nconst nowMs = Date.now();"],
    [
      'amqp/a.ts',
      "/* import { b } from '../store/b.js'; any */\n// setTimeout(\nconst text = 'any Date.now';",
    ],
    ['amqp/a.ts', 'const many = `any $' + '{company} and setTimeout`;'],
  ])('allow in %s: %s', (path, source) => {
    expect(breaches({ [path]: source })).toEqual([]);
  });

  it.each([
    ['const t = Date.now();', 'uses Date.now, which only lib may'],
    ['const t = `$' + '{Math.random()}`;', 'uses Math.random, which only lib may'],
    ['setTimeout(f, 1);', 'uses setTimeout, which only lib may'],
    ['const t = setInterval(f, 1);', 'uses setInterval, which only lib may'],
    ['function f(x: any): void {}', 'has any'],
    ['const f = (x as any[]);', 'has any'],
    ['export const enum Kind { A }', 'has an enum'],
    ['export default class {}', 'has a default export'],
    ['export { a as default };', 'has a default export'],
    ["export * from './b.js';", 'has a barrel'],
    ["export * as b from './b.js';", 'has a barrel'],
  ])('see in a file of the server: %s', (source, what) => {
    expect(breaches({ 'server/a.ts': source })).toEqual([`server/a.ts: ${what}`]);
  });

  it('allow 400 lines, and more in generated files', () => {
    const line = 'a();\n';
    expect(breaches({ 'amqp/a.ts': line.repeat(401) })).toEqual(['amqp/a.ts: has 401 lines, more than 400']);
    expect(breaches({ 'amqp/a.ts': line.repeat(400), 'amqp/b.generated.ts': line.repeat(900) })).toEqual([]);
  });

  it('see a folder that has no place', () => {
    expect(breaches({ 'util/a.ts': '' })).toEqual([
      'util/a.ts: is in a folder that has no place in the order',
    ]);
  });

  it('see cycles of value imports, and let those of types be', () => {
    const cycle = {
      'queues/a.ts': "import { b } from './b.js';",
      'queues/b.ts': "import { type C, c } from './c.js';",
      'queues/c.ts': "import { a } from './a.js';",
    };
    expect(breaches(cycle)).toEqual([
      'queues/a.ts: imports itself, by queues/a.ts > queues/b.ts > queues/c.ts > queues/a.ts',
    ]);
    expect(breaches({ ...cycle, 'queues/c.ts': "import type { A } from './a.js';" })).toEqual([]);
    expect(breaches({ 'lib/a.ts': "import { a } from './a.js';" })).toHaveLength(1);
  });
});
