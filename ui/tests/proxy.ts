import { createServer, request as ask } from 'node:http';
import type { Server as Http } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A reverse proxy that serves another server under a path prefix, and knows nothing else. */
export class Proxy {
  /** Paths that were asked for outside of the prefix. */
  readonly strays: string[] = [];

  private constructor(
    readonly url: string,
    private readonly http: Http,
    strays: string[],
  ) {
    this.strays = strays;
  }

  static async start(target: string, prefix: string): Promise<Proxy> {
    const strays: string[] = [];
    const { hostname, port } = new URL(target);
    const http = createServer((incoming, outgoing) => {
      const path = incoming.url ?? '/';
      if (!path.startsWith(`${prefix}/`)) {
        strays.push(path);
        outgoing.writeHead(404).end();
        return;
      }
      const forwarded = ask(
        { hostname, port, method: incoming.method, path: path.slice(prefix.length), headers: { ...incoming.headers, host: `${hostname}:${port}` } },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        },
      );
      forwarded.on('error', () => outgoing.writeHead(502).end());
      incoming.pipe(forwarded);
    });
    await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
    return new Proxy(`http://127.0.0.1:${(http.address() as AddressInfo).port}${prefix}`, http, strays);
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((done) => this.http.close(done));
  }
}
