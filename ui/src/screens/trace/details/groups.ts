import type { Attribute } from '../../../api/shapes';

/** Attributes of one subject. */
export interface AttributeGroup {
  name: string;
  attributes: Attribute[];
}

/** OpenTelemetry's subjects, by how their keys begin. The first that fits counts. */
const SUBJECTS: [name: string, prefixes: string[]][] = [
  ['Error', ['error', 'exception.', 'otel.status']],
  ['HTTP', ['http.', 'url.', 'user_agent.']],
  ['Database', ['db.']],
  ['RPC', ['rpc.']],
  ['Messaging', ['messaging.']],
  ['Generative AI', ['gen_ai.']],
  ['Function', ['faas.', 'aws.lambda.']],
  ['Network', ['server.', 'client.', 'network.', 'net.', 'peer.', 'source.', 'destination.', 'tls.', 'dns.']],
  ['Code', ['code.', 'thread.', 'process.']],
];

/** Fewer are quicker read in one list. */
const GROUPED_FROM = 7;

/** Puts attributes under their subjects; what belongs to none comes first, since the senders thought of it themselves. */
export function byKind(attributes: readonly Attribute[]): AttributeGroup[] {
  if (attributes.length < GROUPED_FROM) return [{ name: '', attributes: [...attributes] }];
  const groups = new Map<string, Attribute[]>();
  for (const one of attributes) {
    const subject = SUBJECTS.find(([, prefixes]) => prefixes.some((prefix) => one.key.startsWith(prefix)))?.[0] ?? '';
    const group = groups.get(subject);
    if (group) group.push(one);
    else groups.set(subject, [one]);
  }
  const order = ['', ...SUBJECTS.map(([name]) => name)];
  return order.flatMap((name) => (groups.has(name) ? [{ name, attributes: groups.get(name)! }] : []));
}
