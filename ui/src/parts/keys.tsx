import { computed, signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import './keys.css';

/** What a key does here, in words for the help; `keys` as `KeyboardEvent.key` names them. */
export interface Binding {
  keys: string[];
  told: string;
  run: (event: KeyboardEvent) => void;
}

/** The bindings of one place, under its name. Those without `run` are told only: someone else listens for them. */
export interface Group {
  name: string;
  bindings: (Omit<Binding, 'run'> & Partial<Pick<Binding, 'run'>>)[];
}

const groups = signal<Group[]>([]);
const isHelpOpen = signal(false);

/** Listens for keys while the component is shown, and tells of them in the help. Fields that are typed into keep theirs. */
export function useKeys(group: Group): void {
  const latest = useRef(group);
  latest.current = group;
  const { name } = group;
  useEffect(() => {
    const shown: Group = { name, bindings: latest.current.bindings };
    groups.value = [...groups.value, shown];
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('dialog[open]')) return;
      const found = latest.current.bindings.find((one) => one.run && one.keys.includes(event.key));
      if (!found?.run) return;
      event.preventDefault();
      found.run(event);
    };
    addEventListener('keydown', listen);
    return () => {
      removeEventListener('keydown', listen);
      groups.value = groups.value.filter((one) => one !== shown);
    };
  }, [name]);
}

/** Whether a key typed there is text. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'range', 'file'].includes(target.type);
  return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Whether a screen has told of keys; one that has a help of its own tells of none. */
export const hasHelp = computed(() => groups.value.length > 0);

/** Opens the help. */
export function openHelp(): void {
  isHelpOpen.value = true;
}

/** The help: every key that does something on the present screen. */
export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = isHelpOpen.value;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== '?' || event.defaultPrevented || isTyping(event.target) || !hasHelp.peek()) return;
      event.preventDefault();
      openHelp();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
  useEffect(() => {
    if (isOpen && !dialog.current?.open) dialog.current?.showModal();
  }, [isOpen]);
  if (!isOpen) return null;
  return (
    <dialog
      ref={dialog}
      class="keys"
      aria-labelledby="keys-title"
      onClose={() => (isHelpOpen.value = false)}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="keys-body">
        <header>
          <h1 id="keys-title">Keys</h1>
          <button class="plain" onClick={() => dialog.current?.close()} aria-label="Close">
            {'\u2715'}
          </button>
        </header>
        {[...[...groups.value].reverse(), EVERYWHERE].map((group) => (
          <section key={group.name}>
            <h2>{group.name}</h2>
            <dl>
              {group.bindings.map((one) => (
                <div key={one.told}>
                  <dt>
                    {one.keys.map((key) => (
                      <kbd key={key}>{KEY_NAMES[key] ?? key}</kbd>
                    ))}
                  </dt>
                  <dd>{one.told}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}

const EVERYWHERE: Group = { name: 'Everywhere', bindings: [{ keys: ['?'], told: 'Show these keys' }] };

const KEY_NAMES: Record<string, string> = {
  ArrowLeft: '\u2190',
  ArrowRight: '\u2192',
  ArrowUp: '\u2191',
  ArrowDown: '\u2193',
  Escape: 'Esc',
  ' ': 'Space',
};
