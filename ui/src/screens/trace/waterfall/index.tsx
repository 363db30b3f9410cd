import './waterfall.css';
import { useEffect, useRef } from 'preact/hooks';
import { narrow } from '../layout';
import type { TraceState } from '../state';
import { type Parts, mountWaterfall } from './controller';

/** Every span a row, on one time axis: painted, with elements upon it for those who listen and who mark text. */
export function Waterfall({ state, root }: { state: TraceState; root: { current: HTMLElement | null } }) {
  const own = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const find = <T extends HTMLElement>(selector: string) => own.current!.querySelector<T>(selector)!;
    const parts: Parts = {
      root: root.current!,
      axis: find('.axis'),
      grip: find('.grip'),
      scroller: find('.scroller'),
      sizer: find('.sizer'),
      stage: find('.stage'),
      grid: find('.grid'),
      names: find('.names'),
      bars: find('.bars'),
      cursor: find('.cursor'),
      cursorTime: find('.cursor-time'),
    };
    return mountWaterfall(parts, state);
  }, [state]);
  return (
    <div class={narrow.value ? 'waterfall narrow' : 'waterfall'} ref={own}>
      <div class="axis-row">
        <div class="axis-names muted">
          <span>Operation</span>
        </div>
        <div class="grip" role="separator" aria-orientation="vertical" aria-label="Width of names, in pixels" aria-valuemin={140} tabIndex={0} />
        <div class="axis-box">
          <canvas class="axis" aria-hidden="true" />
          <div class="cursor-time mono" hidden />
          <div class="stretch" hidden />
        </div>
      </div>
      <div class="scroller" tabIndex={-1}>
        <div class="sizer">
          <div class="stage">
            <canvas class="bars" aria-hidden="true" />
            <canvas class="names" aria-hidden="true" />
            <div class="grid" role="treegrid" aria-label="Spans" tabIndex={0} />
            <div class="cursor" hidden />
          </div>
        </div>
      </div>
    </div>
  );
}
