#!/usr/bin/env node
/**
 * `npm run conformance:clients -- [URL] [--only GLOB] [--skip-missing] [--record]`: runs the programs of every
 * client against a broker, a Leveret in memory if none is named, and compares what they print with what they
 * printed on RabbitMQ.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseBrokerUrl } from '../broker-url.js';
import { productOf } from '../product.js';
import { type StartedBroker, startLeveret } from '../start-leveret.js';
import { CLIENTS, type Client } from './clients.js';
import { choosePrograms, type ProgramResult, runClients } from './run-clients.js';
import { judgeProgram, recordProgram } from './verdict.js';

// This file runs as dist/conformance/clients/judge-clients.js; the programs are not compiled and stay where they are.
const ROOT = new URL('../../../', import.meta.url);
const FOLDER = fileURLToPath(new URL('conformance/clients/', ROOT));
const LEVERET = fileURLToPath(new URL('dist/main.js', ROOT));
const EXIT_FAILED = 1;
const EXIT_USAGE = 64;

interface Options {
  readonly url: string | undefined;
  readonly only: string | undefined;
  readonly skipMissing: boolean;
  readonly record: boolean;
}

/** @throws Error with one sentence about what is wrong */
function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      'skip-missing': { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  });
  const [url, ...more] = positionals;
  if (more.length > 0) throw new Error(`one broker at a time: '${more[0]}' is one too many`);
  if (url !== undefined && parseBrokerUrl(url).virtualHost !== '/') {
    throw new Error('the programs use the virtual host /: leave the path of the URL out');
  }
  const { only, record } = values;
  if (record && url === undefined)
    throw new Error('--record needs the URL of a RabbitMQ, which is who knows');
  if (choosePrograms({ folder: FOLDER, clients: CLIENTS, only }).length === 0) {
    throw new Error(`no program fits --only '${only}'; their names are like python/work-queue`);
  }
  return { url, only, record, skipMissing: values['skip-missing'] };
}

function complain({ program, complaint }: ProgramResult): void {
  if (complaint === undefined) return;
  process.stdout.write(
    `\n${program.id} differs (- expected, + printed):\n${complaint.replaceAll(/^/gm, '    ')}\n`,
  );
}

function tableOf(
  clients: readonly Client[],
  missing: ReadonlySet<Client>,
  results: readonly ProgramResult[],
): string {
  const rows = clients.map((client) => {
    const own = results.filter(({ program }) => program.client === client);
    const agreeing = own.filter(({ complaint }) => complaint === undefined).length;
    const seconds = own.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0) / 1000;
    const verdict = missing.has(client)
      ? `not installed (Debian: ${client.packages.join(', ')})`
      : `${agreeing} of ${own.length} agree, ${seconds.toFixed(1)} s`;
    return `${client.name.padEnd(8)}${client.library.padEnd(26)}${verdict}`;
  });
  return `\n${rows.join('\n')}\n`;
}

/** Rejects with one sentence when the broker cannot be spoken to: each program would say so at length. */
async function introduce(url: string, { record }: Options): Promise<void> {
  const broker = parseBrokerUrl(url);
  try {
    const product = await productOf(broker, 'rabbitmq-3');
    process.stdout.write(`${record ? 'Recording' : 'Judging'} ${product} at ${broker.host}:${broker.port}\n`);
  } catch (error) {
    throw new Error(
      `cannot open a connection to the broker at ${broker.host}:${broker.port}: ${(error as Error).message}`,
    );
  }
}

async function judge(url: string, { only, skipMissing, record }: Options): Promise<boolean> {
  const asked = CLIENTS.filter(
    (client) => choosePrograms({ folder: FOLDER, clients: [client], only }).length > 0,
  );
  const missing = new Set(asked.filter((client) => !client.isInstalled()));
  const results = await runClients({
    folder: FOLDER,
    url,
    clients: asked.filter((client) => !missing.has(client)),
    only,
    judge: record ? recordProgram : judgeProgram,
    onResult: complain,
  });
  process.stdout.write(tableOf(asked, missing, results));
  if (missing.size > 0 && !skipMissing) {
    process.stdout.write('A client that is not installed counts as failed; --skip-missing leaves it out.\n');
  }
  const allPresent = missing.size === 0 || skipMissing;
  return allPresent && results.length > 0 && results.every(({ complaint }) => complaint === undefined);
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`conformance:clients: ${(error as Error).message}\n`);
    return EXIT_USAGE;
  }
  let started: StartedBroker | undefined;
  try {
    started = options.url === undefined ? await startLeveret(LEVERET) : undefined;
    const url = options.url ?? started!.url;
    await introduce(url, options);
    const agreed = await judge(url, options);
    return agreed ? 0 : EXIT_FAILED;
  } catch (error) {
    process.stderr.write(`conformance:clients: ${(error as Error).message}\n`);
    return EXIT_FAILED;
  } finally {
    started?.stop();
  }
}

process.exit(await main());
