/** A Leveret in memory, in a process of its own, for the judges that are given no broker. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface StartedBroker {
  readonly url: string;
  readonly stop: () => void;
}

/** Starts the command line program at this path as a broker on a free port. @param options further ones of `start` */
export async function startLeveret(
  programPath: string,
  options: readonly string[] = [],
): Promise<StartedBroker> {
  const args = [
    programPath,
    'start',
    '--in-memory',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--log-format',
    'json',
    ...options,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`leveret start ended with ${code} before it was ready`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, port: found } = JSON.parse(line) as { readonly msg: string; readonly port?: number };
      if (msg.includes('Server startup complete') && found !== undefined) resolve(found);
    });
  });
  const stop = () => {
    child.kill('SIGTERM');
  };
  // A judge that ends early, as it does when nobody reads its output, leaves no broker behind.
  process.once('exit', stop);
  return { url: `amqp://guest:guest@127.0.0.1:${port}`, stop };
}
