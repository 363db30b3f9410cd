import { useEffect, useRef, useState } from 'preact/hooks';
import { type Address, address } from '../route';

const TITLES: Record<Address['screen'], string> = {
  home: 'Traces',
  trace: 'Trace',
  start: 'Send spans',
  operate: 'Operate',
  view: 'A trace from a file',
  unknown: 'Not found',
};

/** What a screen is called in the browser's tabs. A trace screen may say more once it knows more. */
export function titleOf({ screen, traceId, params }: Pick<Address, 'screen' | 'traceId' | 'params'>): string {
  const tenant = params.get('tenant');
  const what = traceId ? `Trace ${traceId.slice(0, 8)}` : TITLES[screen];
  return `${what} \u00b7 ${tenant ? `${tenant} \u00b7 ` : ''}clew`;
}

let isStaying = false;

/** Says that the screen which is being shown has put the reader where they were; to be called in a layout effect. */
export function stay(): void {
  isStaying = true;
}

/** Arriving at a screen: its title, the focus at its beginning, and an announcement; not for the page's first screen. */
export function useArrival() {
  const main = useRef<HTMLElement>(null);
  const [announced, setAnnounced] = useState('');
  const isFirst = useRef(true);
  const { screen, traceId, params } = address.value;
  const tenant = params.get('tenant');
  useEffect(() => {
    document.title = titleOf({ screen, traceId, params });
  }, [screen, traceId, tenant]);
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    setAnnounced(TITLES[screen]);
    const isPlaced = isStaying;
    isStaying = false;
    // A screen that put the focus somewhere itself knows better.
    if (!main.current?.contains(document.activeElement)) main.current?.focus({ preventScroll: true });
    if (!isPlaced) main.current?.scrollTo(0, 0);
  }, [screen, traceId]);
  return { main, announced };
}
