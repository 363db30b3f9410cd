import { signal } from '@preact/signals';

/** The screens of the application. */
export type Screen = 'home' | 'trace' | 'start' | 'operate' | 'view' | 'unknown';

/** Where the reader is. All state that is worth sharing is in it. */
export interface Address {
  screen: Screen;
  /** The trace's id, on the screen of a trace. */
  traceId: string | null;
  params: URLSearchParams;
}

/** A page from a file has no server and keeps its state behind `#`. */
const isFile = location.protocol === 'file:';
/** The path that the application lies under, with a slash at its end. The server's `<base>` says it. */
const base = isFile ? location.pathname : new URL('./', document.baseURI).pathname;

/** Where the reader is now. */
export const address = signal<Address>(read());

addEventListener('popstate', () => {
  address.value = read();
});

function read(): Address {
  if (isFile) return { screen: 'trace', traceId: null, params: new URLSearchParams(location.hash.slice(1)) };
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : '';
  const params = new URLSearchParams(location.search);
  const trace = /^t\/([0-9a-fA-F]{1,32})\/?$/.exec(path);
  if (trace) return { screen: 'trace', traceId: trace[1]!.toLowerCase(), params };
  const screens: Record<string, Screen> = { '': 'home', start: 'start', operate: 'operate', view: 'view' };
  return { screen: screens[path.replace(/\/$/, '')] ?? 'unknown', traceId: null, params };
}

/** The address of a screen, to put into a link. Settings of the whole application are carried over. */
export function href(path: string, params: URLSearchParams = new URLSearchParams()): string {
  const all = new URLSearchParams(params);
  for (const name of CARRIED) {
    const value = address.value.params.get(name);
    if (value !== null && !all.has(name)) all.set(name, value);
  }
  const query = all.toString();
  if (isFile) return `#${query}`;
  return `${base}${path}${query ? `?${query}` : ''}`;
}

/** Parameters that hold on every screen. */
const CARRIED = ['tenant', 'zone'];

/** Goes to a screen: a step that "back" undoes. */
export function go(path: string, params?: URLSearchParams): void {
  history.pushState(null, '', href(path, params));
  address.value = read();
}

/**
 * Changes parameters of the present screen; `null` removes one. `replace` is for what changes continuously, such as a
 * zoom: "back" then skips it.
 */
export function setParams(changes: Record<string, string | string[] | null>, replace = false): void {
  const params = new URLSearchParams(address.value.params);
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    if (Array.isArray(value)) for (const one of value) params.append(name, one);
    else if (value !== null) params.set(name, value);
  }
  const query = params.toString();
  const url = isFile ? `#${query}` : `${location.pathname}${query ? `?${query}` : ''}`;
  if (replace) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  address.value = { ...address.value, params };
}

/** A link's click, followed without loading the page again; other clicks (new tab, download) stay the browser's. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin || isFile) return;
  if (!link.pathname.startsWith(base) || link.pathname.startsWith(`${base}v1/`)) return;
  event.preventDefault();
  history.pushState(null, '', link.href);
  address.value = read();
}
