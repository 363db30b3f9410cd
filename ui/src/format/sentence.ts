/** What a server says in passing (`disk is full`) as a sentence of its own: `Disk is full.` */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) return '';
  // A name that is written small stays so.
  const isName = /^[a-z]+[._/A-Z0-9]\w*/.test(trimmed);
  const begun = isName ? trimmed : trimmed[0]!.toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
