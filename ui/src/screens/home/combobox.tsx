import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { asProblem } from '../../api/answer';
import type { Filter } from './filters';
import { suggest, type Suggestion } from './suggestions';

interface Props {
  input: RefObject<HTMLInputElement | null>;
  text: string;
  /** The filters that narrow what is offered. */
  filters: Filter[];
  /** What is wrong with the text. */
  words: string;
  placeholder: string;
  type: (text: string) => void;
  choose: (suggestion: Suggestion) => void;
  submit: () => void;
  leave: () => void;
  /** Left or Backspace at the very beginning. */
  back: () => void;
  pasted: (event: ClipboardEvent) => void;
}

const LIST = 'filter-offers';

/** What is offered for a text, and which of it is active; -1 is the field itself. */
function useOffers(text: string, filters: Filter[], isOpen: boolean) {
  const [offers, setOffers] = useState<Suggestion[]>([]);
  const [failed, setFailed] = useState('');
  const [active, setActive] = useState(-1);
  const key = filters.map((one) => `${one.param}=${one.value}`).join('&');
  useEffect(() => {
    if (!isOpen) return;
    const abort = new AbortController();
    suggest(text, filters, abort.signal).then(
      (found) => {
        if (abort.signal.aborted) return;
        setOffers(found);
        setFailed('');
        setActive(text.trim() && found.length ? 0 : -1);
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        setOffers([]);
        setFailed(asProblem(error).message);
      },
    );
    return () => abort.abort();
  }, [isOpen, text, key]);
  const move = (by: number) => {
    const slots = offers.length + 1;
    // One step beyond the list is the field itself.
    setActive((at) => ((at + 1 + by + slots) % slots) - 1);
  };
  return { offers, failed, active, move, deactivate: () => setActive(-1) };
}

/** A field with a list of what it could become (the combobox pattern of ARIA): the field keeps the focus. */
export function Combobox(props: Props) {
  const { input, text, filters, words } = props;
  const [isOpen, setOpen] = useState(false);
  const { offers, failed, active, move, deactivate } = useOffers(text, filters, isOpen);

  const close = () => {
    setOpen(false);
    deactivate();
  };
  const choose = (suggestion: Suggestion) => {
    props.choose(suggestion);
    if (suggestion.then.kind === 'text') input.current?.focus();
    else close();
  };
  const keyed = (event: KeyboardEvent) => {
    const isAtStart = input.current?.selectionStart === 0 && input.current.selectionEnd === 0;
    const chosen = isOpen ? offers[active] : undefined;
    const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (arrow) {
      if (isOpen) move(arrow);
      else setOpen(true);
    } else if (event.key === 'Enter') {
      if (chosen) choose(chosen);
      else if (text.trim()) props.submit();
    } else if (event.key === 'Tab' && chosen && text.trim() && !event.shiftKey) choose(chosen);
    else if (event.key === 'Escape') {
      if (text) props.leave();
      else input.current?.blur();
      close();
    } else if ((event.key === 'Backspace' || event.key === 'ArrowLeft') && isAtStart && !text) {
      close();
      props.back();
    } else return;
    event.preventDefault();
  };

  const isShown = isOpen && (offers.length > 0 || failed !== '' || words !== '');
  return (
    <div class="combobox">
      <input
        ref={input}
        id="filter-input"
        role="combobox"
        aria-label="Add a filter, or paste a trace id"
        aria-autocomplete="list"
        aria-expanded={isShown}
        aria-controls={LIST}
        aria-activedescendant={isShown && active >= 0 ? `${LIST}-${active}` : undefined}
        aria-invalid={words !== ''}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder={props.placeholder}
        value={text}
        onInput={(event) => {
          props.type(event.currentTarget.value);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onClick={() => setOpen(true)}
        onBlur={() => close()}
        onKeyDown={keyed}
        onPaste={props.pasted}
      />
      <Offers isShown={isShown} words={words} failed={failed} offers={offers} active={active} choose={choose} />
    </div>
  );
}

interface OffersProps {
  isShown: boolean;
  words: string;
  failed: string;
  offers: Suggestion[];
  active: number;
  choose: (suggestion: Suggestion) => void;
}

function Offers({ isShown, words, failed, offers, active, choose }: OffersProps) {
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [active]);
  // A press keeps the focus in the field, so that the list stays until the click.
  return (
    <div class="offers" hidden={!isShown} onMouseDown={(event) => event.preventDefault()}>
      {words && (
        <p class="offers-words error-text" role="alert">
          {words}
        </p>
      )}
      {failed && <p class="offers-words error-text">{failed}</p>}
      <ul id={LIST} role="listbox" aria-label="What could be filtered by" ref={list}>
        {offers.map((offer, at) => (
          <li key={offer.key} id={`${LIST}-${at}`} role="option" aria-selected={at === active} onClick={() => choose(offer)}>
            <span class="offer-label foreign">
              {offer.lead && <span class="muted">{offer.lead}</span>}
              {offer.label === '' ? <em>empty</em> : offer.label}
            </span>
            <span class="muted offer-about">{offer.about}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
