/**
 * The rules of the source tree that a compiler does not know: which folder may import which, no cycles, what is
 * banned, and how long a file may be. Sources come as text, so that the rules themselves can be tested.
 */

/** A source file: its path under src with slashes, such as `lib/clock.ts`, and its text. */
export type Sources = ReadonlyMap<string, string>;

const CORE = ['lib', 'amqp', 'store', 'auth'];
const BROKER = [...CORE, 'exchanges', 'queues', 'broker'];
const EVERYTHING = [...BROKER, 'server', 'management', 'testing', 'cli'];

/** What a folder may import besides itself; files beside the folders go by their own names. */
const ALLOWED: ReadonlyMap<string, readonly string[]> = new Map([
  ['lib', []],
  ['amqp', ['lib']],
  ['store', ['lib']],
  ['auth', ['lib']],
  ['exchanges', CORE],
  ['queues', CORE],
  ['broker', BROKER],
  ['server', BROKER],
  ['management', BROKER],
  ['testing', BROKER],
  ['cli', EVERYTHING],
  ['index.ts', [...BROKER, 'server', 'management', 'testing']],
  ['main.ts', EVERYTHING],
]);

const FILE_LINES_MAX = 400;

/** Time, chance and timers come through interfaces; `lib` implements them. */
const BANNED_OUTSIDE_LIB = /\b(?:Date\.now|Math\.random|setTimeout|setInterval)\b/g;
const FILE_SYSTEM = /^(?:node:)?fs(?:\/promises)?$/;
const BANNED = new Map([
  ['any', /\bany\b/],
  ['an enum', /\benum\s+[A-Za-z_$]/],
  ['a default export', /\bexport\s+default\b|\bas\s+default\b/],
  ['a barrel', /\bexport\s*\*/],
]);

/** Every breach of a rule, as `path: what is wrong`. */
export function breachesIn(sources: Sources): string[] {
  const breaches: string[] = [];
  const valueImports = new Map<string, string[]>();
  for (const [path, text] of sources) {
    const say = (what: string): number => breaches.push(`${path}: ${what}`);
    const imports = importsOf(text);
    checkFolders(path, imports, say);
    checkCode(path, codeOf(text), say);
    const lineCount = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    if (lineCount > FILE_LINES_MAX && !path.endsWith('.generated.ts')) {
      say(`has ${lineCount} lines, more than ${FILE_LINES_MAX}`);
    }
    const values = imports.filter(({ isTypeOnly }) => !isTypeOnly);
    valueImports.set(
      path,
      values.flatMap(({ from }) => targetOf(path, from) ?? []),
    );
  }
  for (const cycle of cyclesIn(valueImports))
    breaches.push(`${cycle[0]}: imports itself, by ${cycle.join(' > ')}`);
  return breaches;
}

interface Import {
  /** As written. */
  readonly from: string;
  readonly isTypeOnly: boolean;
}

const COMMENT_OR_STRING =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g;

/** The text without comments. */
function uncommented(text: string): string {
  return text.replace(COMMENT_OR_STRING, (match) => (/^\/[/*]/.test(match) ? ' ' : match));
}

/** The text without comments and strings; of a template the expressions remain. */
function codeOf(text: string): string {
  return text.replace(COMMENT_OR_STRING, (match) => {
    if (match.startsWith('/')) return ' ';
    if (!match.startsWith('`')) return "''";
    return [...match.matchAll(/\$\{([^}]*)\}/g)].map(([, expression]) => expression).join(' ; ');
  });
}

/** Imports and re-exports, in all their forms. */
export function importsOf(text: string): Import[] {
  const source = uncommented(text);
  const declared = source.matchAll(/\b(?:import|export)\s+(type\s+)?[\w\s{},*$]*?\bfrom\s*['"]([^'"]+)['"]/g);
  const bare = source.matchAll(/\bimport\s*['"]([^'"]+)['"]/g);
  const dynamic = source.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g);
  return [
    ...[...declared].map(([, type, from]) => ({ from: from!, isTypeOnly: type !== undefined })),
    ...[...bare, ...dynamic].map(([, from]) => ({ from: from!, isTypeOnly: false })),
  ];
}

/** The source file that an import means; undefined for packages. */
function targetOf(path: string, from: string): string | undefined {
  if (!from.startsWith('.')) return undefined;
  return new URL(from, `file:///${path}`).pathname.slice(1).replace(/\.js$/, '.ts');
}

const folderOf = (path: string): string => path.split('/')[0]!;

function checkFolders(path: string, imports: readonly Import[], say: (what: string) => void): void {
  const folder = folderOf(path);
  const allowed = ALLOWED.get(folder);
  if (allowed === undefined) say('is in a folder that has no place in the order');
  for (const { from } of imports) {
    if (FILE_SYSTEM.test(from) && folder !== 'lib') say(`imports ${from}, which only lib may`);
    const target = targetOf(path, from);
    if (target === undefined) continue;
    if (!from.endsWith('.js')) say(`imports ${from} without the extension .js`);
    if (folderOf(target) !== folder && allowed?.includes(folderOf(target)) === false) {
      say(`imports ${target}, which ${folder} may not`);
    }
  }
}

function checkCode(path: string, code: string, say: (what: string) => void): void {
  for (const [what, pattern] of BANNED)
    if (pattern.test(code) && !path.endsWith('.generated.ts')) say(`has ${what}`);
  if (folderOf(path) === 'lib') return;
  for (const [found] of code.matchAll(BANNED_OUTSIDE_LIB)) say(`uses ${found}, which only lib may`);
}

/** One cycle for every file that is found to lead back to itself. */
function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.push([...trail.slice(at), path]);
    if (at >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}
