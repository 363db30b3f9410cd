import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';

interface Props {
  label: string;
  tabs: { id: string; told: string }[];
  chosen: string;
  choose: (id: string) => void;
  children: ComponentChildren;
}

/** Tabs as ARIA describes them: arrows, Home and End go from one to the next. */
export function Tabs({ label, tabs, chosen, choose, children }: Props) {
  const list = useRef<HTMLDivElement>(null);
  const keyed = (event: KeyboardEvent) => {
    const at = tabs.findIndex((one) => one.id === chosen);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(tabs[(next + tabs.length) % tabs.length]!.id);
    list.current?.querySelectorAll<HTMLButtonElement>('[role=tab]')[(next + tabs.length) % tabs.length]?.focus();
  };
  return (
    <>
      <div class="tab-list" role="tablist" aria-label={label} ref={list} onKeyDown={keyed}>
        {tabs.map(({ id, told }) => (
          <button
            key={id}
            id={`tab-${id}`}
            role="tab"
            aria-selected={id === chosen}
            aria-controls="tab-panel"
            tabIndex={id === chosen ? 0 : -1}
            onClick={() => choose(id)}
          >
            {told}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${chosen}`}>
        {children}
      </div>
    </>
  );
}
