/** A refusal of the server, in its own words (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    readonly parameter: string | null,
  ) {
    super(detail);
    this.name = 'Problem';
  }
}

/** The address of an API call, relative to where the application lies. */
export function apiUrl(path: string, params?: URLSearchParams): URL {
  const url = new URL(path, document.baseURI);
  if (params) url.search = params.toString();
  return url;
}

/** Asks the server for JSON. Throws {@link Problem} for what it refuses, and for a server that does not answer. */
export async function ask<T>(path: string, params?: URLSearchParams, init?: RequestInit): Promise<T> {
  const response = await send(path, params, init);
  return (await response.json()) as T;
}

/** Asks the server. */
export async function send(path: string, params?: URLSearchParams, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(apiUrl(path, params), { ...init, headers: { Accept: 'application/json', ...init?.headers } });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Problem(0, 'No answer', 'The server does not answer. Is clew running, and is this page still its own?', null);
  }
  if (response.ok || response.status === 304) return response;
  throw await problem(response);
}

async function problem(response: Response): Promise<Problem> {
  const words = `The server answered with ${response.status} ${response.statusText}.`;
  try {
    const said = (await response.json()) as Partial<Record<'title' | 'detail' | 'parameter', string>>;
    return new Problem(response.status, said.title ?? response.statusText, said.detail ?? words, said.parameter ?? null);
  } catch {
    return new Problem(response.status, response.statusText, words, null);
  }
}
