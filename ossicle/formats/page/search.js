// Finds text across words and paragraphs, whatever its case and accents. Hits are painted over the text, not into it.

const MAX_PAINTED = 3000;               // highlights at once; all hits are counted
const TYPING_MILLISECONDS = 120;
// Accents, Hebrew points and Arabic vowels, which searchers leave out. Vowels of India and Thailand are letters to their readers and stay.
const ACCENTS = /[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]/gu;
const PUNCTUATION = /\p{P}/u;

const search = { query: "", hits: [], times: [], current: -1, isPainted: typeof Highlight === "function" && !!CSS.highlights };

// One character as it is compared: without accent, case and width.
function folded(char) {
  if (char <= "\x7f") return char.toLowerCase();
  return char.normalize("NFKD").replace(ACCENTS, "").normalize("NFC").toUpperCase().toLowerCase();
}

function foldText(text, keepsPunctuation) {
  const places = [];                    // of each unit of the folded text: where it comes from
  let written = "", at = 0;
  for (const char of text) {
    const isSpace = /\s/u.test(char);
    if (isSpace ? !written.endsWith(" ") : keepsPunctuation || !PUNCTUATION.test(char)) {
      written += isSpace ? " " : folded(char);
      while (places.length < written.length) places.push(at);
    }
    at += char.length;
  }
  return { text: written, places };
}

// All hits in order: the paragraph and the stretch of its text. Commas and full stops count only where they are asked for.
function findAll(query) {
  const keepsPunctuation = PUNCTUATION.test(query);
  const wanted = foldText(query.trim(), keepsPunctuation).text;
  const hits = [];
  if (!wanted) return hits;
  for (const paragraph of paragraphs) {
    const { text, places } = foldedParagraph(paragraph, keepsPunctuation);
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      hits.push({ paragraph, begin: places[at], end: endOfChar(paragraph.text, places[at + wanted.length - 1]) });
    }
  }
  return hits;
}

function foldedParagraph(paragraph, keepsPunctuation) {
  const { folded } = paragraph;
  if (folded?.of === paragraph.text && folded.keepsPunctuation === keepsPunctuation) return folded;
  paragraph.folded = { of: paragraph.text, keepsPunctuation, ...foldText(paragraph.text, keepsPunctuation) };
  return paragraph.folded;
}

function endOfChar(text, at) {
  let end = at + String.fromCodePoint(text.codePointAt(at)).length;
  while (end < text.length && /[\p{M}\u200d]/u.test(text[end])) end += 1;
  return end;
}

function runSearch(isToGo = true) {
  search.query = byId("query").value;
  search.hits = findAll(search.query);
  search.times = search.hits.map((hit) => timeOfHit(hit));
  const from = search.times.findIndex((seconds) => seconds >= player.at - 0.01);
  search.current = search.hits.length ? Math.max(0, from) : -1;
  paintHits();
  if (isToGo) showHit();
  drawBand();
}

function timeOfHit({ paragraph, begin }) {
  let at = -paragraph.lead.length;
  for (const word of paragraph.words) {
    at += word.text.length;
    if (at > begin) return word.from;
  }
  return paragraph.original[0].from;
}

function goToHit(step) {
  if (!search.hits.length) return;
  search.current = (search.current + step + search.hits.length) % search.hits.length;
  paintHits();
  showHit();
}

function showHit() {
  const hit = search.hits[search.current];
  if (!hit) return;
  hit.paragraph.box.scrollIntoView({ block: "nearest" });          // lays it out, so that its letters have a place
  const { top, bottom } = rangeOf(hit).getBoundingClientRect();
  if (top < 120 || bottom > innerHeight - 150) scrollBy({ top: top - innerHeight * 0.36 });
}

function paintHits() {
  const { hits, current } = search;
  document.querySelector(".find").classList.toggle("active", search.query.trim() !== "");
  byId("hits").textContent = search.query.trim() ? (hits.length ? `${current + 1} of ${hits.length}` : "no hits") : "";
  const begin = Math.max(0, current - MAX_PAINTED / 2), near = hits.slice(begin, begin + MAX_PAINTED);
  if (search.isPainted) {
    CSS.highlights.set("hits", new Highlight(...near.map(rangeOf)));
    CSS.highlights.set("hit", Object.assign(new Highlight(...(hits[current] ? [rangeOf(hits[current])] : [])), { priority: 1 }));
    return;
  }
  for (const name of ["hit", "hit-now"]) app.querySelectorAll(`.w.${name}`).forEach((span) => span.classList.remove(name));
  for (const hit of near) wordsOfHit(hit).forEach((word) => word.element?.classList.add(hit === hits[current] ? "hit-now" : "hit"));
}

function wordsOfHit({ paragraph, begin, end }) {
  let at = -paragraph.lead.length;
  return paragraph.words.filter((word) => {
    const from = at;
    at += word.text.length;
    return at > begin && from < end;
  });
}

function rangeOf({ paragraph, begin, end }) {
  const range = document.createRange(), walker = document.createTreeWalker(paragraph.body, NodeFilter.SHOW_TEXT);
  let at = 0, isOpen = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const after = at + node.length;
    if (!isOpen && begin < after) {
      range.setStart(node, begin - at);
      isOpen = true;
    }
    if (isOpen && end <= after) {
      range.setEnd(node, end - at);
      break;
    }
    at = after;
  }
  return range;
}

function listenToSearch() {
  let timer = 0;
  byId("query").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(runSearch, TYPING_MILLISECONDS);
  });
  byId("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter") goToHit(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      byId("query").value = "";
      runSearch(false);
      byId("query").blur();
    } else return;
    event.preventDefault();
  });
  byId("next").addEventListener("click", () => goToHit(1));
  byId("previous").addEventListener("click", () => goToHit(-1));
}
