import type { Span } from '../../../api/shapes';
import { counted } from '../../../format/count';

/** What is special about a span's place, each in a sentence. */
const MARKS: Record<string, string> = {
  orphan: 'Its parent is named but was not received, so it stands at the top.',
  duplicate_id: 'Another span has the same id and other content.',
  shared_id: 'Caller and callee share one id, as Zipkin clients do; the callee hangs below its caller.',
  cycle_broken: 'It names itself or one of its descendants as its parent; it is shown as a root.',
  async: 'Its parent did not wait for it.',
  overhang: 'It ended after its parent, which seemed to wait for it.',
  early: 'It began before its parent.',
  clock_suspect: 'By its times it lies outside its caller in another service: one of the two clocks is off.',
};

/** How odd input was mended, each in a sentence. */
const NOTES: Record<string, string> = {
  end_before_start: 'Its end lay before its start; its length is taken as 0.',
  odd_time: 'Its start lies before the year 2000, or more than a day after it came; it does not widen the trace.',
  empty_name: 'It was sent without a name.',
  text_replaced: 'Some of its text was no UTF-8; such bytes are replaced.',
  value_cut: 'A value was longer than this server keeps and was cut (limits.value_bytes).',
  nesting_cut: 'A value was nested deeper than this server keeps and was cut (limits.depth).',
  attributes_cut: 'It had more attributes than this server keeps (limits.attributes).',
  events_cut: 'It had more events than this server keeps (limits.events).',
  links_cut: 'It had more links than this server keeps (limits.links).',
  unknown_enum: 'Its kind or status is a number that this version does not know.',
  no_service: 'Its sender did not say which service it is: set service.name, or OTEL_SERVICE_NAME.',
  bad_reference: 'The id of its parent or of a link was no id and was left out.',
};

/** Everything odd about a span. A mark of a later server is told by its name. */
export function oddities(span: Pick<Span, 'marks' | 'notes' | 'droppedAttributesCount' | 'droppedEventsCount' | 'droppedLinksCount'>): string[] {
  const told = [
    ...(span.marks ?? []).map((mark) => MARKS[mark] ?? `Marked as ${mark}.`),
    ...(span.notes ?? []).map((note) => NOTES[note] ?? `Noted: ${note}.`),
  ];
  const lost = [
    span.droppedAttributesCount ? counted(span.droppedAttributesCount, 'attribute') : '',
    span.droppedEventsCount ? counted(span.droppedEventsCount, 'event') : '',
    span.droppedLinksCount ? counted(span.droppedLinksCount, 'link') : '',
  ].filter(Boolean);
  if (lost.length > 0) {
    const list = lost.length > 1 ? `${lost.slice(0, -1).join(', ')} and ${lost.at(-1)}` : lost[0]!;
    told.push(`${list} ${lost.length === 1 && /^1 /.test(list) ? 'was' : 'were'} left out, by the sender or here.`);
  }
  return told;
}

/** What W3C trace flags and OTLP's bits say. */
export function flagsInWords(flags: number): string {
  const words = [(flags & 1) !== 0 ? 'sampled' : 'not sampled'];
  if ((flags & 2) !== 0) words.push('random trace id');
  if ((flags & 0x100) !== 0) words.push((flags & 0x200) !== 0 ? 'parent in another process' : 'parent in the same process');
  return words.join(', ');
}
