import { useEffect, useRef, useState } from 'preact/hooks';
import { zoneName } from '../format/time';
import { address, setParams } from '../route';
import { chooseTheme, themeChoice, type ThemeChoice, zone } from '../settings';

const THEMES: [ThemeChoice, string][] = [
  ['system', 'As the system'],
  ['dark', 'Dark'],
  ['light', 'Light'],
];

/** The zone of times and the theme, behind a button that names the zone. */
export function Settings() {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    box.current?.querySelector<HTMLInputElement>('input:checked')?.focus();
    const away = (event: PointerEvent) => {
      if (!box.current?.parentElement?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener('pointerdown', away);
    return () => removeEventListener('pointerdown', away);
  }, [isOpen]);
  const keyed = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return;
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div class="settings" onKeyDown={keyed}>
      <button
        ref={button}
        class="plain"
        aria-expanded={isOpen}
        aria-haspopup="dialog"
        onClick={() => setOpen(!isOpen)}
        title="Time zone and theme"
      >
        <span class="visually-hidden">Time zone and theme: </span>
        {zoneName(zone.value)} <span aria-hidden="true">{'\u25be'}</span>
      </button>
      {isOpen && (
        <div ref={box} class="settings-box" role="dialog" aria-label="Time zone and theme">
          <ZoneChoice />
          <fieldset>
            <legend>Theme</legend>
            {THEMES.map(([choice, told]) => (
              <label key={choice}>
                <input type="radio" name="theme" checked={themeChoice.value === choice} onChange={() => chooseTheme(choice)} />{' '}
                {told}
              </label>
            ))}
          </fieldset>
        </div>
      )}
    </div>
  );
}

function ZoneChoice() {
  const present = zone.value;
  const isNamed = present !== 'local' && present !== 'utc';
  const [typed, setTyped] = useState(isNamed ? present : '');
  const [isWrong, setWrong] = useState(false);
  // In the address even when it is the browser's own, so that a choice can be undone by "back".
  const choose = (name: string) => setParams({ zone: name === 'local' ? null : name });
  const named = (text: string) => {
    setTyped(text);
    const known = text === '' ? null : nameOf(text);
    setWrong(text !== '' && known === null);
    if (known && known !== address.value.params.get('zone')) choose(known);
  };
  return (
    <fieldset>
      <legend>Time zone</legend>
      <label>
        <input type="radio" name="zone" checked={present === 'local'} onChange={() => choose('local')} /> This browser's (
        {zoneName('local')})
      </label>
      <label>
        <input type="radio" name="zone" checked={present === 'utc'} onChange={() => choose('utc')} /> UTC
      </label>
      <label>
        <input
          type="radio"
          name="zone"
          checked={isNamed}
          onChange={() => named(typed || Intl.DateTimeFormat().resolvedOptions().timeZone)}
        />{' '}
        Another
      </label>
      <input
        class="zone-name"
        list="zones"
        aria-label="Name of a time zone"
        placeholder="Europe/Berlin"
        value={typed}
        aria-invalid={isWrong}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onChange={(event) => named(event.currentTarget.value)}
      />
      <datalist id="zones">
        {Intl.supportedValuesOf('timeZone').map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <p class="error-text" role="alert">
        {isWrong ? 'No zone has this name.' : ''}
      </p>
    </fieldset>
  );
}

/** The zone's name as the database writes it; `null` when there is none. */
function nameOf(text: string): string | null {
  if (text.toLowerCase() === 'utc') return 'utc';
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text.trim() }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}
