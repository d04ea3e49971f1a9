/** The brokers that are measured: those of the URLs given, and those that are started for it. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseUrl } from './broker-url.js';
import { onceCleanedUp } from './cleanup.js';
import { pidListeningOn } from './process-figures.js';
import { RawClient } from './raw-client.js';

export interface Broker {
  /** What it calls itself, and where it is. */
  readonly label: string;
  readonly url: string;
  readonly isRabbit: boolean;
  /** Known of a broker on this machine whose process may be looked at. */
  readonly pid: number | undefined;
  /** On the disk that it writes to, as far as that is known. */
  readonly directory: string;
  /** Starts another one like it; undefined for a broker that was given by its URL. */
  readonly startFresh: (() => Promise<Broker>) | undefined;
  stop(): Promise<void>;
}

const execute = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
export const LEVERET = join(PACKAGE, 'dist', 'main.js');
const RABBITMQ_SCRIPT = join(PACKAGE, 'scripts', 'rabbitmq.sh');

/** The broker of a URL. @throws when it cannot be connected to */
export async function givenBroker(url: string): Promise<Broker> {
  const { host, port } = parseUrl(url);
  const pid = isHere(host) ? pidListeningOn(port) : undefined;
  const stop = async (): Promise<void> => {};
  const { product, isRabbit } = await look(url);
  const label = `${product} at ${host}:${port}`;
  return { label, isRabbit, url, pid, directory: tmpdir(), startFresh: undefined, stop };
}

/** Starts a Leveret with a data directory of its own, so that what is durable is. */
export async function startLeveret(program = LEVERET, name?: string): Promise<Broker> {
  const directory = mkdtempSync(join(tmpdir(), 'leveret-bench-'));
  const args = [program, 'start', '--data-dir', join(directory, 'data'), '--host', '127.0.0.1'];
  args.push('--port', '0', '--log-format', 'json');
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = onceCleanedUp(async () => {
    child.kill();
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the broker ended with code ${code}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { msg, port: found } = JSON.parse(line) as { readonly msg: string; readonly port?: number };
        if (msg.includes('Server startup complete') && found !== undefined) resolve(found);
      });
    });
    const url = `amqp://guest:guest@127.0.0.1:${port}`;
    const startFresh = (): Promise<Broker> => startLeveret(program, name);
    const { product, isRabbit } = await look(url);
    return { label: name ?? product, isRabbit, url, pid: child.pid, directory, startFresh, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts Debian's RabbitMQ, installing it when it is missing. */
export async function startRabbitMq(): Promise<Broker> {
  if (!existsSync(RABBITMQ_SCRIPT)) throw new Error(`${RABBITMQ_SCRIPT} is missing`);
  const directory = mkdtempSync(join(tmpdir(), 'leveret-bench-rabbitmq-'));
  const stop = onceCleanedUp(async () => {
    await execute('bash', [RABBITMQ_SCRIPT, 'stop', directory]);
    rmSync(directory, { recursive: true, force: true });
  });
  try {
    const { stdout } = await execute('bash', [RABBITMQ_SCRIPT, 'start', directory]);
    const port = Number(stdout.trim().split('\n').at(-1));
    const url = `amqp://guest:guest@127.0.0.1:${port}`;
    const pid = pidListeningOn(port);
    const { product, isRabbit } = await look(url);
    return { label: product, isRabbit, url, pid, directory, startFresh: startRabbitMq, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function look(url: string): Promise<{ product: string; isRabbit: boolean }> {
  const endpoint = parseUrl(url);
  const address = `${endpoint.host}:${endpoint.port}`;
  let client: RawClient;
  try {
    client = await RawClient.connect(endpoint);
  } catch (error) {
    throw new Error(`cannot open a connection to the broker at ${address}: ${(error as Error).message}`);
  }
  await client.closeOrderly();
  const { product } = client;
  return { product, isRabbit: product.startsWith('RabbitMQ') };
}

function isHere(host: string): boolean {
  if (host === 'localhost') return true;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.some(({ address }) => address === host);
}
