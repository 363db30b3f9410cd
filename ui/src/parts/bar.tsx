import { useState } from 'preact/hooks';
import type { Health } from '../api/shapes';
import { useAnswer, usePoll } from '../api/answer';
import { ask } from '../api/client';
import { address, href, setParams, type Screen } from '../route';
import { hasHelp, openHelp } from './keys';
import { Settings } from './settings';

// The second half of a name is left out where there is no room.
const SCREENS: [path: string, screen: Screen, told: string, more: string][] = [
  ['', 'home', 'Traces', ''],
  ['start', 'start', 'Send', ' spans'],
  ['operate', 'operate', 'Operate', ''],
];

/** The bar at the top: screens, tenant, how the server is, settings. */
export function Bar() {
  const { screen } = address.value;
  return (
    <header class="bar">
      <a class="brand" href={href('')} aria-label="clew: home">
        <Mark /> <span class="brand-name">clew</span>
      </a>
      <nav aria-label="Screens">
        {SCREENS.map(([path, name, told, more]) => (
          <a key={name} href={href(path)} aria-current={screen === name ? 'page' : undefined}>
            {told}
            {more && <span class="wide-only">{more}</span>}
          </a>
        ))}
      </nav>
      <span class="spread" />
      <HealthNotice />
      <TenantSwitch />
      {hasHelp.value && (
        <button class="plain help-button" onClick={openHelp} aria-label="Keys" title="Keys (?)">
          ?
        </button>
      )}
      <Settings />
    </header>
  );
}

/** The ball of thread. */
function Mark() {
  return (
    <svg width="18" height="18" viewBox="0 0 32 32" aria-hidden="true">
      <path
        d="M26 9.5A11 11 0 1 0 26 22.5M21.5 12.5a6 6 0 1 0 0 7M17 16h12"
        fill="none"
        stroke="var(--thread)"
        stroke-width="2.8"
        stroke-linecap="round"
      />
    </svg>
  );
}

/** Whose traces are shown where nothing names a tenant. */
const DEFAULT_TENANT = 'default';

const HEALTH_MILLIS = 15_000;

/** Nothing while all is well. */
function HealthNotice() {
  const [notice, setNotice] = useState<{ short: string; long: string } | null>(null);
  usePoll(HEALTH_MILLIS, async (signal) => {
    try {
      const health = await ask<Health>('v1/health', undefined, { signal });
      const long = health.reasons.map((one) => one.detail).join('\n');
      setNotice(health.status === 'ok' ? null : { short: 'Degraded', long });
    } catch {
      if (!signal.aborted) setNotice({ short: 'No answer', long: 'The server does not answer. Is clew running?' });
    }
  });
  return (
    <span role="status" class="health">
      {notice && (
        <a href={href('operate')} class="error-text" title={notice.long}>
          <span aria-hidden="true">{'\u2715'}</span>
          <span class="health-short">{notice.short}</span>
          <span class="health-detail foreign">{notice.long}</span>
        </a>
      )}
    </span>
  );
}

/** A choice of whose traces are shown, where there is one. */
function TenantSwitch() {
  const answer = useAnswer('tenants', (signal) => ask<{ tenants: string[] }>('v1/tenants', undefined, { signal }));
  const chosen = address.value.params.get('tenant');
  const tenants = answer.value?.tenants;
  if (!tenants) return null;
  // The one that is shown may hold nothing, and is not told of then.
  const present = chosen ?? DEFAULT_TENANT;
  const all = tenants.includes(present) ? tenants : [present, ...tenants];
  if (all.length < 2) return null;
  return (
    <select
      class="tenant"
      aria-label="Tenant"
      value={present}
      onChange={(event) => setParams({ tenant: event.currentTarget.value, cell: null })}
    >
      {all.map((one) => (
        <option key={one}>{one}</option>
      ))}
    </select>
  );
}
