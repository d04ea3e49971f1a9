/** The programs of the conformance suite in other clients' hands, on Leveret, and what judges them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CLIENTS, type Client } from '../conformance/clients/clients.js';
import { lineDifference } from '../conformance/clients/line-difference.js';
import { findPrograms, type Program } from '../conformance/clients/programs.js';
import { choosePrograms, type ProgramResult, runClients } from '../conformance/clients/run-clients.js';
import { judgeProgram, recordProgram } from '../conformance/clients/verdict.js';
import { useBroker } from './interop/broker.js';
import { requireClient } from './interop/programs.js';

const FOLDER = fileURLToPath(new URL('../conformance/clients/', import.meta.url));
const ALL_LIMIT_MS = 180_000;
const brokerUrl = useBroker();

let results: readonly ProgramResult[];
beforeAll(async () => {
  results = await runClients({
    folder: FOLDER,
    url: brokerUrl(),
    clients: CLIENTS.filter(({ isInstalled }) => isInstalled()),
    judge: judgeProgram,
  });
}, ALL_LIMIT_MS);

describe.each(CLIENTS.map((client) => [client.library, client] as const))('%s', (_library, client) => {
  beforeAll(() => requireClient(client.name));

  it.each(findPrograms(FOLDER, client).map(({ id }) => id))('%s prints what it prints on RabbitMQ', (id) => {
    const { complaint } = results.find(({ program }) => program.id === id)!;
    expect(complaint, complaint).toBeUndefined();
  });
});

describe('the programs', () => {
  it('are found with one id for the same program, whatever a language calls its files', () => {
    const ids = choosePrograms({ folder: FOLDER, clients: CLIENTS, only: '*/work-queue' }).map(
      ({ id }) => id,
    );
    const names = ['python', 'ruby', 'php', 'java', 'shell'];
    expect(ids).toEqual(names.map((name) => `${name}/work-queue`));
  });

  it('are judged by what has been recorded', () => {
    const folder = scratchFolder();
    const program: Program = { id: 'shell/sample', client: clientOf('shell'), file: '' };
    expect(judgeProgram(folder, program, { text: 'one\n' })).toContain('--record');
    expect(recordProgram(folder, program, { text: 'one\n' })).toBeUndefined();
    expect(judgeProgram(folder, program, { text: 'one\n' })).toBeUndefined();
    expect(judgeProgram(folder, program, { text: 'two\n' })).toBe('- one\n+ two');
    expect(judgeProgram(folder, program, { text: 'one\n', failure: 'was killed' })).toBe('was killed');
  });

  it('are not recorded when they fail', () => {
    const folder = scratchFolder();
    const program: Program = { id: 'shell/sample', client: clientOf('shell'), file: '' };
    expect(recordProgram(folder, program, { text: '', failure: 'was killed' })).toBe('was killed');
    expect(judgeProgram(folder, program, { text: '' })).toContain('nothing has been recorded');
  });

  it('get a URL and a name of their own, which is taken out of what they print', async () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'shell'));
    writeFileSync(join(folder, 'shell', 'sample.sh'), 'echo "$1 $2.queue amq.gen-a_b-C9"; exit 3');
    const url = 'amqp://someone:secret@127.0.0.1:1';
    const [result] = await runClients({
      folder,
      url,
      clients: [clientOf('shell')],
      judge: (_folder, _program, { text, failure }) => `${text}${failure}`,
    });
    expect(result!.complaint).toBe(
      'amqp://someone:secret@HOST:PORT NAME.queue amq.gen-*\nended with exit status 3',
    );
  });
});

describe('a difference', () => {
  it('shows lines that are missing and lines that are new, with the lines around them', () => {
    const expected = 'a\nb\nc\nd\ne\nf\ng\n';
    expect(lineDifference(expected, expected.replace('e', 'E'))).toBe('  ...\n  c\n  d\n- e\n+ E\n  f\n  g');
    expect(lineDifference('a\nb\n', 'b\nc\n')).toBe('- a\n  b\n+ c');
    expect(lineDifference('', 'a\n')).toBe('+ a');
    expect(lineDifference('a\n', '')).toBe('- a');
  });
});

function clientOf(name: string): Client {
  return CLIENTS.find((client) => client.name === name)!;
}

function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-clients-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
