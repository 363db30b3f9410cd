/** Where spans go, as a sender on the reader's machine would write it. */
export interface Addresses {
  /** The base of OTLP over HTTP; the SDK adds `/v1/traces`. */
  http: string;
  /** An endpoint that speaks gRPC without anything between. */
  grpc: string;
}

/**
 * The addresses of this server. Over HTTP it is the one that this page came from, proxies and path prefixes included;
 * gRPC goes around proxies, to a door of the server itself.
 */
export function addressesOf(page: URL, doors: { address: string; purpose: string }[]): Addresses {
  const http = page.origin + page.pathname.replace(/[^/]*$/, '').replace(/\/$/, '');
  const parsed = doors.map(({ address, purpose }) => ({ ...split(address), purpose }));
  const door = parsed.find((one) => one.port === '4317') ?? parsed.find((one) => one.purpose === 'otlp') ?? parsed[0];
  if (!door) return { http, grpc: page.origin };
  const isAnywhere = ['0.0.0.0', '[::]', '127.0.0.1', '[::1]', 'localhost', ''].includes(door.host);
  return { http, grpc: `http://${isAnywhere ? page.hostname : door.host}:${door.port}` };
}

function split(address: string): { host: string; port: string } {
  const bare = address.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '');
  const at = bare.lastIndexOf(':');
  return at < 0 ? { host: bare, port: '4317' } : { host: bare.slice(0, at), port: bare.slice(at + 1) };
}
