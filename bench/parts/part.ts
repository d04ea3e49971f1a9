/** A part of the broker by itself, and the build that it is taken from. */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface Part {
  readonly name: string;
  readonly title: string;
  prepare(build: Build): Promise<Prepared>;
}

export interface Prepared {
  /** What one call of `run` does so often: the figure is its time divided by this. */
  readonly operations: number;
  run(): void | Promise<void>;
  close?(): Promise<void>;
}

/** Modules of a compiled Leveret: this one's, or an earlier one's, to compare with. */
export class Build {
  private readonly directory: string;

  /** @param directory `dist` */
  constructor(directory: string) {
    this.directory = resolve(directory);
  }

  /** @param path without the extension, such as `amqp/frame-reader`; the type is that of the source here */
  async load<Module>(path: string): Promise<Module> {
    return (await import(pathToFileURL(join(this.directory, `${path}.js`)).href)) as Module;
  }
}
