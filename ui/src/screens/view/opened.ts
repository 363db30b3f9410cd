import { signal } from '@preact/signals';
import { asProblem } from '../../api/answer';
import { ask, type Problem } from '../../api/client';
import type { Skeleton, Trace } from '../../api/shapes';

/** A file's traces, as the server explained them; it kept nothing. */
export interface Explained {
  traces: { skeleton: Skeleton; full: Trace }[];
  /** What of the file could not be shown, in words. */
  problems: string[];
}

/** What became of the file that was dropped last. It lives as long as the page. */
export type Opened =
  | { state: 'none' }
  | { state: 'asking'; name: string }
  | { state: 'failed'; name: string; problem: Problem }
  | { state: 'here'; name: string; explained: Explained };

export const opened = signal<Opened>({ state: 'none' });

/** Most bytes that the server explains. */
const LIMIT_BYTES = 64 * 1024 * 1024;

/** Has a file explained. */
export async function openFile(file: File): Promise<void> {
  const { name } = file;
  opened.value = { state: 'asking', name };
  const mine = opened.value;
  const become = (next: Opened) => {
    // A later file takes the place.
    if (opened.value === mine) opened.value = next;
  };
  try {
    if (file.size > LIMIT_BYTES)
      throw new Error(
        `The file has ${Math.ceil(file.size / 1048576)} MiB; at most 64 MiB are shown. \`clew import\` stores larger ones.`,
      );
    const headers = { 'Content-Type': isText(name, file.type) ? 'application/json' : 'application/x-protobuf' };
    const explained = await ask<Explained>('v1/explain', undefined, { method: 'POST', body: file, headers });
    become({ state: 'here', name, explained: { traces: explained.traces, problems: explained.problems.map(words) } });
  } catch (error) {
    become({ state: 'failed', name, problem: asProblem(error) });
  }
}

function isText(name: string, type: string): boolean {
  return !/\.(pb|bin|proto|protobuf|otlp)$/i.test(name) || type.includes('json');
}

function words(problem: unknown): string {
  if (typeof problem === 'string') return problem;
  const detail = (problem as { detail?: unknown } | null)?.detail;
  return typeof detail === 'string' ? detail : JSON.stringify(problem);
}
