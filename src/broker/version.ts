import { createRequire } from 'node:module';

interface PackageFile {
  readonly version: string;
}

/** Leveret's own version, as its package says. */
export const LEVERET_VERSION: string = (createRequire(import.meta.url)('../../package.json') as PackageFile)
  .version;
