import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { OtlpRequest } from './otlp';

const run = promisify(execFile);

/** The binary under test: the one that ships, with the UI in it. */
export const binary = resolve(process.env.CLEW_BINARY ?? join(import.meta.dirname, '../../target/release/clew'));

/** What we were started with, without settings that were meant for us or for another clew. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(CLEW|OTEL)_/.test(name)));

/** A clew of our own: on a free port, with its data in a temporary folder. */
export class Server {
  private constructor(
    /** Where it answers, without a slash at the end. */
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** Starts one and waits until it has said where it listens. */
  static async start(...options: string[]): Promise<Server> {
    if (!existsSync(binary)) throw new Error(`There is no ${binary}: build it (cargo build --release -p clew), or name another in CLEW_BINARY.`);
    const folder = mkdtempSync(join(tmpdir(), 'clew-ui-'));
    const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--data-dir', folder, ...options], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const url = await new Promise<string>((found, failed) => {
      const listen = (chunk: Buffer) => {
        said += chunk.toString();
        const greeting = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
        if (greeting) found(greeting[0]);
      };
      child.stdout.on('data', listen);
      child.stderr.on('data', listen);
      child.once('exit', (code) => failed(new Error(`clew ended with ${code} before it served:\n${said}`)));
      child.once('error', failed);
    });
    return new Server(url, child, folder);
  }

  /** Stops it, and takes its data away. */
  async stop(): Promise<void> {
    const ended = new Promise((done) => this.child.once('exit', done));
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs the command line against it and gives what it printed. */
  async cli(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await run(binary, [command, ...args, '--server', this.url], { env, maxBuffer: 1 << 28 });
    return stdout;
  }

  /** Sends the simulated shop, the same every time but for ids and the hour. Gives the ids of the planted traces. */
  async demo(count = 120): Promise<Planted> {
    const args = ['demo', '--seed', '1', '--count', String(count), '--rate', '1000', '--endpoint', this.url];
    const { stdout, stderr } = await run(binary, args, { env });
    const planted = (what: string) => {
      const line = new RegExp(`clew trace ([0-9a-f]{32}).*# .*${what}`).exec(stdout + stderr);
      if (!line) throw new Error(`clew demo planted no "${what}":\n${stdout}${stderr}`);
      return line[1]!;
    };
    await this.holds(count);
    return { nPlusOne: planted('N\\+1'), slowQuery: planted('slow query'), declinedCard: planted('declined card'), gap: planted('no span explains') };
  }

  /** Sends spans as OTLP/JSON; a request is cut into parts that the server takes. */
  async send(request: OtlpRequest, headers: Record<string, string> = {}): Promise<void> {
    for (const part of parts(request)) {
      const response = await fetch(`${this.url}/v1/traces`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', ...headers },
        body: gzipSync(JSON.stringify(part), { level: 1 }),
      });
      if (!response.ok) throw new Error(`The server refused spans: ${response.status} ${await response.text()}`);
    }
  }

  /** Asks the API. */
  async ask<T>(path: string, params: Record<string, string> = {}): Promise<T> {
    const response = await fetch(`${this.url}/v1/${path}?${new URLSearchParams(params)}`);
    if (!response.ok) throw new Error(`GET /v1/${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Whether a part of the API is there at all. */
  async serves(path: string): Promise<boolean> {
    return (await fetch(`${this.url}/v1/${path}`)).status !== 404;
  }

  /** Waits until that many traces can be found. */
  async holds(traces: number, params: Record<string, string> = {}): Promise<void> {
    await until(`${traces} traces`, async () => {
      const found = await this.ask<{ total: { value: number } }>('traces/search', { limit: '1', total: 'exact', ...params });
      return found.total.value >= traces;
    });
  }

  /** Ids of all its traces, newest first. */
  async traceIds(params: Record<string, string> = {}): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { traces: { traceId: string }[]; cursor: string | null } = await this.ask('traces/search', {
        limit: '100',
        ...params,
        ...(cursor ? { cursor } : {}),
      });
      ids.push(...page.traces.map((one) => one.traceId));
      cursor = page.cursor;
    } while (cursor);
    return ids;
  }
}

/** Traces of the demo with a fault that was put there on purpose. */
export interface Planted {
  nPlusOne: string;
  slowQuery: string;
  declinedCard: string;
  gap: string;
}

/** Spans of one request, at most: 16 MiB is what a server takes, before and after decompression. */
const SPANS_A_PART = 8_000;

function* parts(request: OtlpRequest): Generator<OtlpRequest> {
  for (const { resource, scopeSpans } of request.resourceSpans) {
    for (const { scope, spans } of scopeSpans) {
      for (let at = 0; at < spans.length; at += SPANS_A_PART) {
        yield { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: spans.slice(at, at + SPANS_A_PART) }] }] };
      }
    }
  }
}

/** Asks again and again until the answer is yes. */
export async function until(what: string, done: () => Promise<boolean>, millis = 15_000): Promise<void> {
  const deadline = Date.now() + millis;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`Still not so after ${millis} ms: ${what}.`);
    await new Promise((next) => setTimeout(next, 20));
  }
}
