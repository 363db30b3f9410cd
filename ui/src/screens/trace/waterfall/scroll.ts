/**
 * Rows of any number behind a scroll bar. Browsers end an element at some 17 to 33 million pixels, so what scrolls is at
 * most `SAFE_PIXELS` high and a place on it stands for one among the rows.
 */
export const SAFE_PIXELS = 8_000_000;

/** What is behind a scroll bar. */
export interface Extent {
  /** Pixels of all rows. */
  content: number;
  /** Pixels that are seen at once. */
  view: number;
}

/** How high the element is that scrolls. */
export function scrolledHeight({ content, view }: Extent): number {
  return Math.max(Math.min(content, SAFE_PIXELS), view);
}

/** Pixels of rows above the view, for a place of the scroll bar. */
export function topOf(extent: Extent, scrollTop: number): number {
  return Math.max(0, Math.min(scrollTop * ratio(extent), extent.content - extent.view));
}

/** The place of the scroll bar that shows what lies below so many pixels. */
export function scrollTopOf(extent: Extent, top: number): number {
  return Math.max(0, Math.min(top, extent.content - extent.view)) / ratio(extent);
}

/** Pixels of rows for one of the scroll bar. */
export function ratio(extent: Extent): number {
  const { content, view } = extent;
  const height = scrolledHeight(extent);
  return content <= height || height <= view ? 1 : (content - view) / (height - view);
}

/** Rows that are shown beyond the one that is brought into view, so that it is seen among its neighbours. */
const MARGIN_ROWS = 2;

/** Where the view must begin so that a row is seen: unmoved when it is, at its middle when it was far away. */
export function topThatShows(extent: Extent, top: number, row: number, rowHeight: number): number {
  const margin = Math.min(MARGIN_ROWS * rowHeight, Math.max(0, (extent.view - rowHeight) / 2));
  const [begin, end] = [row * rowHeight - margin, (row + 1) * rowHeight + margin];
  const most = Math.max(0, extent.content - extent.view);
  if (begin >= top && end <= top + extent.view) return top;
  const isNear = begin > top - 3 * rowHeight && end < top + extent.view + 3 * rowHeight;
  const wanted = !isNear ? (begin + end - extent.view) / 2 : begin < top ? begin : end - extent.view;
  return Math.max(0, Math.min(wanted, most));
}
