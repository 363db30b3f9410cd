/** Answers of the contract that `openapi.json` does not describe yet; each goes when it does. */
import type { Incomplete, SearchAnswer, Summary } from './shapes';

/** The longest spans of a trace, by start: enough to know its shape. */
export interface Silhouette {
  /** Positions in the summary's services. */
  services: number[];
  /** Nanoseconds from the trace's start. */
  starts: number[];
  durations: number[];
  /** Positions in these columns of the spans that failed. */
  errors: number[];
}

/** A trace in a list. */
export type Found = Summary & { silhouette?: Silhouette | null };
export type Page = Omit<SearchAnswer, 'traces'> & { traces: Found[] };
export type Total = NonNullable<SearchAnswer['total']>;

/** Traces counted by start and duration. */
export interface Heatmap {
  from: string;
  to: string;
  columns: number;
  rows: number;
  columnNanos: number;
  /** The edges of the rows in nanoseconds, one more than there are rows. */
  bounds: number[];
  /** The cells that hold a trace. */
  cells: { columns: number[]; rows: number[]; counts: number[]; errors: number[] };
  total: number;
  errors: number;
  /** Those that match and lie beyond the axis of time. */
  unplaced?: number;
  incomplete?: Incomplete | null;
}

export interface AttributesAnswer {
  attributes: { key: string; scopes: string[]; spanCount: number }[];
  sampled?: { spanCount: number } | null;
}

export interface ValuesAnswer {
  values: { value: string; type: string; spanCount: number }[];
  sampled?: { spanCount: number } | null;
}

export interface Health {
  status: string;
  reasons: { name: string; detail: string }[];
}

/** A lamp: a wrong set-up that was seen, and how to mend it. */
export interface Hint {
  name: string;
  count: number;
  last: string | null;
  sentence: string;
  fix: string;
  /** A request that showed it. */
  example?: { request: string; userAgent?: string | null } | null;
}

/** How long something took, of those that came to an end. */
export interface Timing {
  count: number;
  p50Nanos: number | null;
  p99Nanos: number | null;
}

export interface Turned {
  reason: string;
  sentence?: string;
  spans: number;
}

export interface TenantFigures {
  tenant: string;
  received: number;
  /** Spans of requests that were taken. */
  rejected: Turned[];
  /** Whole requests. */
  refused: (Turned & { requests: number })[];
}

export interface MemoryPart {
  name: string;
  bytes: number;
  limitBytes: number | null;
  setting?: string;
}

/** clew's own figures. */
export interface Figures {
  version: string;
  uptimeSeconds: number;
  now: string;
  doors: { address: string; purpose: string }[];
  dataDir: string;
  spans: {
    received: number;
    lastReceived: string | null;
    requests?: number;
    lastRequest?: string | null;
    tenants: TenantFigures[];
  };
  ack: Timing;
  search: Timing;
  fetch: Timing;
  live: { spans: number; traces?: number; bytes: number; limitBytes: number };
  log: { bytes: number; segments: number; syncs: number; sync?: Timing };
  blocks: {
    count: number;
    spans: number;
    bytes: number;
    kinds: { kind: string; bytes: number }[];
    oldest: string | null;
    newest: string | null;
  };
  retention: { ageSeconds: number | null; limitBytes: number | null; usedBytes: number; availableBytes?: number | null };
  memory: { residentBytes: number | null; parts: MemoryPart[] };
  health: Health;
  hints: Hint[];
}
