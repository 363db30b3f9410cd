import type { ComponentChildren } from 'preact';
import type { Figures, TenantFigures, Timing } from '../../api/shapes';
import { bytes, count } from '../../format/count';
import { duration } from '../../format/duration';
import { sentence } from '../../format/sentence';
import { ago, exact, parseTime } from '../../format/time';
import { zone } from '../../settings';

export function Panel({ title, wide, children }: { title: string; wide?: boolean; children: ComponentChildren }) {
  return (
    <section class={wide ? 'panel wide' : 'panel'} aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      {children}
    </section>
  );
}

/** An amount, and what it may be at most. */
export function Meter({
  told,
  value,
  limit,
  title,
}: {
  told: string;
  value: number;
  limit: number | null;
  title?: string | undefined;
}) {
  const share = limit ? Math.min(1, value / limit) : null;
  return (
    <div class="meter" title={title}>
      <span class="meter-name">{told}</span>
      <span class="mono meter-text">
        {bytes(value)}
        {limit ? <span class="muted"> of {bytes(limit)}</span> : ''}
      </span>
      {share !== null && (
        <span
          class="meter-track"
          role="meter"
          aria-label={told}
          aria-valuenow={value}
          aria-valuemin={0}
          aria-valuemax={limit!}
          aria-valuetext={`${bytes(value)} of ${bytes(limit!)}`}
        >
          <span class="meter-bar" style={{ width: `${share * 100}%` }} />
        </span>
      )}
    </div>
  );
}

/** Rows of a name and a figure. */
export function Facts({ facts }: { facts: [told: string, value: ComponentChildren][] }) {
  return (
    <dl class="figure-list">
      {facts.map(([told, value]) => (
        <div key={told}>
          <dt>{told}</dt>
          <dd class="mono foreign">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Latencies({ figures }: { figures: Figures }) {
  const rows: [string, Timing | undefined][] = [
    ['Acknowledgement', figures.ack],
    ['Sync to disk', figures.log.sync],
    ['Search', figures.search],
    ['Fetch of a trace', figures.fetch],
  ];
  return (
    <Panel title="How long it takes, since the start">
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">Of</th>
            <th scope="col">p50</th>
            <th scope="col">p99</th>
            <th scope="col">Count</th>
          </tr>
        </thead>
        <tbody class="mono">
          {rows.map(([told, timing]) =>
            timing ? (
              <tr key={told}>
                <th scope="row">{told}</th>
                <td>{timing.count && timing.p50Nanos != null ? duration(timing.p50Nanos) : '\u2013'}</td>
                <td>{timing.count && timing.p99Nanos != null ? duration(timing.p99Nanos) : '\u2013'}</td>
                <td>{count(timing.count)}</td>
              </tr>
            ) : null,
          )}
        </tbody>
      </table>
    </Panel>
  );
}

export function Storage({ figures }: { figures: Figures }) {
  const { blocks, live, log, retention, now } = figures;
  const age = (at: string | null | undefined) =>
    at ? <span title={exact(parseTime(at), zone.value)}>{ago(parseTime(at), parseTime(now))}</span> : '\u2013';
  return (
    <>
      <Panel title="Not in blocks yet">
        <Meter told="Live" value={live.bytes} limit={live.limitBytes} />
        <Facts
          facts={[
            ['Live spans', count(live.spans)],
            ['Log', `${bytes(log.bytes)} in ${count(log.segments)} ${log.segments === 1 ? 'segment' : 'segments'}`],
            ['Syncs', count(log.syncs)],
          ]}
        />
      </Panel>
      <Panel title="Blocks">
        <Facts
          facts={[
            ['Blocks', count(blocks.count)],
            ['Spans in them', count(blocks.spans)],
            ...blocks.kinds.map((one): [string, string] => [`of ${one.kind}`, bytes(one.bytes)]),
            ['Oldest', age(blocks.oldest)],
            ['Newest', age(blocks.newest)],
          ]}
        />
      </Panel>
      <Panel title="Retention">
        <Meter told="On disk" value={retention.usedBytes} limit={retention.limitBytes} />
        <Facts
          facts={[
            ['Kept for', retention.ageSeconds ? days(retention.ageSeconds) : 'no limit'],
            ...(retention.availableBytes != null
              ? [['Free on the disk', bytes(retention.availableBytes)] as [string, string]]
              : []),
          ]}
        />
      </Panel>
    </>
  );
}

export function Memory({ memory }: Pick<Figures, 'memory'>) {
  return (
    <Panel title="Memory">
      {memory.residentBytes != null && <Facts facts={[['Of the whole process', bytes(memory.residentBytes)]]} />}
      {memory.parts.map((part) => (
        <Meter
          key={part.name}
          told={part.name.replaceAll('_', ' ')}
          value={part.bytes}
          limit={part.limitBytes}
          title={part.setting && `Setting: ${part.setting}`}
        />
      ))}
    </Panel>
  );
}

interface TurnedRow {
  tenant: string;
  what: string;
  reason: string;
  sentence: string | undefined;
  spans: number;
  requests: number | null;
}

/** What did not come in: for each tenant and reason. */
export function TurnedAway({ tenants }: { tenants: TenantFigures[] }) {
  const rows = tenants.flatMap(({ tenant, rejected, refused }): TurnedRow[] => [
    ...refused.map((one) => ({
      tenant,
      what: 'refused',
      reason: one.reason,
      sentence: one.sentence,
      spans: one.spans,
      requests: one.requests,
    })),
    ...rejected.map((one) => ({
      tenant,
      what: 'rejected',
      reason: one.reason,
      sentence: one.sentence,
      spans: one.spans,
      requests: null,
    })),
  ]);
  const some = rows.filter((one) => one.spans > 0 || (one.requests ?? 0) > 0).sort((a, b) => b.spans - a.spans);
  return (
    <Panel title="Turned away" wide>
      {some.length === 0 ? (
        <p class="muted">Nothing since the server started.</p>
      ) : (
        <div class="scroll-x" tabIndex={0} role="group" aria-label="Turned away, by tenant and reason">
          <table class="figures">
            <thead>
              <tr>
                <th scope="col">Tenant</th>
                <th scope="col" class="reason">
                  Reason
                </th>
                <th scope="col">Requests</th>
                <th scope="col">Spans</th>
              </tr>
            </thead>
            <tbody>
              {some.map((one) => (
                <tr key={`${one.tenant} ${one.what} ${one.reason}`}>
                  <th scope="row" class="foreign">
                    {one.tenant}
                  </th>
                  <td class="reason">
                    {sentence(one.sentence ?? one.reason.replaceAll('_', ' '))} <span class="muted mono">{one.reason}</span>
                  </td>
                  <td class="mono">{one.requests === null ? '\u2013' : count(one.requests)}</td>
                  <td class="mono">{count(one.spans)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

export function Tenants({ tenants }: { tenants: TenantFigures[] }) {
  if (tenants.length < 2) return null;
  return (
    <Panel title="Spans received, by tenant">
      <Facts facts={[...tenants].sort((a, b) => b.received - a.received).map((one) => [one.tenant, count(one.received)])} />
    </Panel>
  );
}

/** `7 days`, `36 h`. */
export function days(seconds: number): string {
  if (seconds >= 172_800) return `${Number((seconds / 86_400).toFixed(1))} days`;
  return duration(seconds * 1e9).replace(/\.0+ /, ' ');
}
