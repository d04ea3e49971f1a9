/** The clients whose programs run against a broker: where they are, how each is started, what it needs. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A command and its arguments. */
export type Command = readonly [string, ...string[]];

export interface Client {
  /** The folder of its programs, and the first half of their ids. */
  readonly name: string;
  /** What people call the library. */
  readonly library: string;
  /** The Debian packages that bring it. */
  readonly packages: readonly string[];
  /** How the files of its programs end. */
  readonly extension: string;
  /** The file, or the beginning of the files, that its programs share. */
  readonly shared: string;
  /** Whether it can run here. */
  readonly isInstalled: () => boolean;
  /** The command that compiles its programs into a folder, where they need it. */
  readonly compile?: (sources: readonly string[], outputFolder: string) => Command;
  /** The command that runs a program, up to the URL and the name that follow. */
  readonly command: (file: string, outputFolder: string) => Command;
}

// Debian's libraries belong to Debian's interpreters, which need not be the first of the PATH.
export const PYTHON = '/usr/bin/python3';
const RUBY = '/usr/bin/ruby';
const PHP = '/usr/bin/php';
const PHP_AMQPLIB = '/usr/share/php/PhpAmqpLib/autoload.php';
const JAVA = '/usr/bin/java';
const JAVA_CLASS_PATH = ['amqp-client', 'slf4j-api', 'slf4j-nop'].map((jar) => `/usr/share/java/${jar}.jar`);
// Either compiler will do: ecj needs a run-time environment only, which is less than half the size of a JDK.
const JAVA_COMPILERS: readonly Command[] = [['javac'], ['ecj', '-17', '-proc:none', '-nowarn']];

export const CLIENTS: readonly Client[] = [
  {
    name: 'python',
    library: 'pika',
    packages: ['python3-pika'],
    extension: '.py',
    shared: 'common',
    isInstalled: () => succeeds([PYTHON, '-c', 'import pika']),
    command: runPython,
  },
  {
    name: 'celery',
    library: 'Celery',
    packages: ['python3-celery'],
    extension: '.py',
    shared: 'common',
    isInstalled: () => succeeds([PYTHON, '-c', 'import celery']),
    command: runPython,
  },
  {
    name: 'ruby',
    library: 'Bunny',
    packages: ['ruby-bunny'],
    extension: '.rb',
    shared: 'common',
    isInstalled: () => succeeds([RUBY, '-e', 'require "bunny"']),
    command: (file) => [RUBY, '-EUTF-8:UTF-8', file],
  },
  {
    name: 'php',
    library: 'php-amqplib',
    packages: ['php-amqplib', 'php-cli'],
    extension: '.php',
    shared: 'common',
    isInstalled: () => existsSync(PHP_AMQPLIB) && succeeds([PHP, '-r', 'exit(0);']),
    command: (file) => [PHP, '-d', 'display_errors=stderr', file],
  },
  {
    name: 'java',
    library: 'the RabbitMQ Java client',
    packages: ['librabbitmq-client-java', 'default-jre-headless', 'ecj'],
    extension: '.java',
    shared: 'Common',
    isInstalled: () =>
      JAVA_CLASS_PATH.every((jar) => existsSync(jar)) &&
      succeeds([JAVA, '-version']) &&
      javaCompiler() !== undefined,
    compile: (sources, outputFolder) => [
      ...(javaCompiler() as Command),
      '-encoding',
      'UTF-8',
      '-cp',
      JAVA_CLASS_PATH.join(':'),
      '-d',
      outputFolder,
      ...sources,
    ],
    command: (file, outputFolder) => [
      JAVA,
      // A short life: no time for the optimizing compiler or a second collector thread to pay off.
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-Dfile.encoding=UTF-8',
      '-Dstdout.encoding=UTF-8',
      '-cp',
      [...JAVA_CLASS_PATH, outputFolder].join(':'),
      file.replace(/^.*\/|\.java$/g, ''),
    ],
  },
  {
    name: 'shell',
    library: 'the tools of librabbitmq',
    packages: ['amqp-tools'],
    extension: '.sh',
    shared: 'common',
    isInstalled: () => succeeds(['amqp-get', '--help']),
    command: (file) => ['bash', file],
  },
];

/** No byte code in the source tree; UTF-8 whatever the locale of the machine. */
function runPython(file: string): Command {
  return [PYTHON, '-B', '-X', 'utf8', file];
}

function javaCompiler(): Command | undefined {
  return JAVA_COMPILERS.find(([compiler]) => succeeds([compiler, '-version']));
}

function succeeds([program, ...args]: Command): boolean {
  return spawnSync(program, args).status === 0;
}
