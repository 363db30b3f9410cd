import { useSignal } from '@preact/signals';
import type { Attribute } from '../../../api/shapes';
import { count } from '../../../format/count';
import { Copy, FilterIcon } from './copy';
import { byKind } from './groups';
import { Foreign, Value } from './value';
import { filterOf, tell } from './values';

/** What the lists of a pane share. */
export interface Reading {
  /** What is looked for in the pane: the rest is left out. Empty for nothing. */
  wanted: string;
  /** What is marked where it occurs. */
  marked: string;
  /** The address of Home with a condition; `null` where no server can be asked. */
  filter: ((name: string, value: string) => string) | null;
}

/** Rows that are put on the page at once. */
const ROWS_STEP = 200;

/** Whether an attribute has the text in its key or value. */
export function matches({ key, value }: Attribute, wanted: string): boolean {
  if (!wanted) return true;
  const needle = wanted.toLowerCase();
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return key.toLowerCase().includes(needle) || text.toLowerCase().includes(needle);
}

/** Attributes as a list, by subject when there are many. */
export function Attributes({ attributes, reading, grouped = false }: { attributes: readonly Attribute[]; reading: Reading; grouped?: boolean }) {
  const shown = useSignal(ROWS_STEP);
  const found = attributes.filter((one) => matches(one, reading.wanted));
  if (found.length === 0) return <p class="muted none">{attributes.length === 0 ? 'none' : 'none has the text'}</p>;
  const groups = grouped ? byKind(found.slice(0, shown.value)) : [{ name: '', attributes: found.slice(0, shown.value) }];
  const left = found.length - shown.value;
  return (
    <>
      {groups.map((group) => (
        <div key={group.name}>
          {group.name && <h4>{group.name}</h4>}
          <dl class="attributes">
            {group.attributes.map((one, at) => (
              <Row key={`${at} ${one.key}`} attribute={one} reading={reading} />
            ))}
          </dl>
        </div>
      ))}
      {left > 0 && (
        <button type="button" class="plain more" onClick={() => (shown.value += ROWS_STEP)}>
          show {count(Math.min(left, ROWS_STEP))} more of {count(left)}
        </button>
      )}
    </>
  );
}

function Row({ attribute, reading }: { attribute: Attribute; reading: Reading }) {
  const told = tell(attribute);
  const condition = reading.filter && filterOf(attribute);
  return (
    <div class="attribute">
      <dt title={`${attribute.key.length > KEY_CHARACTERS ? attribute.key.slice(0, 2_000) : ''} ${attribute.type}`.trim()}>
        <Foreign text={shortKey(attribute.key) || '(no key)'} wanted={reading.marked} isKey />
      </dt>
      <dd>
        <Value told={told} wanted={reading.marked} />
      </dd>
      <dd class="tools">
        {condition && (
          <a class="button plain tool" href={reading.filter!(...condition)} aria-label={`Filter by ${short(attribute.key)}`} title="Traces with this value">
            <FilterIcon />
          </a>
        )}
        <Copy text={() => told.raw} what={`the value of ${short(attribute.key)}`} />
      </dd>
    </div>
  );
}

/** Longer keys are cut: a list of them must stay a list. */
const KEY_CHARACTERS = 160;

function shortKey(key: string): string {
  return key.length > KEY_CHARACTERS ? `${key.slice(0, KEY_CHARACTERS)}\u2026` : key;
}

function short(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}\u2026` : text;
}
